//! `cargo dx logs PART`: the end of a part's log, and what is added to it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::profile::Profile;

/// How much of a log's end is read at most, in bytes.
const TAIL_BYTES: u64 = 4 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// kafka, postgres, object-store, ingestor, query-api, archiver; the second ingestor is ingestor-2
    part: String,
    /// Go on showing what is added, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// How many lines of the end to show
    #[arg(short = 'n', long, default_value_t = 40)]
    lines: usize,
}

/// Shows a log.
///
/// # Errors
/// There is no such log, or it cannot be read.
pub(crate) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let folder = profile.logs_dir();
    let path = [args.part.clone(), format!("{}-1", args.part)]
        .iter()
        .map(|name| folder.join(format!("{name}.log")))
        .find(|path| path.is_file());
    let Some(path) = path else {
        bail!(
            "profile `{}` has no log of `{}`; there are: {}",
            profile.name,
            args.part,
            names(&folder)
        );
    };
    let mut out = std::io::stdout();
    let (text, mut position) = tail(&path, args.lines)?;
    out.write_all(text.as_bytes())?;
    if !args.follow {
        return Ok(());
    }
    loop {
        out.flush()?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut file =
            File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if file.metadata()?.len() < position {
            // The part was started again and its log with it.
            position = 0;
        }
        file.seek(SeekFrom::Start(position))?;
        position += std::io::copy(&mut file, &mut out)?;
    }
}

/// The last lines of a file, and where it ended.
pub(super) fn tail(path: &Path, lines: usize) -> anyhow::Result<(String, u64)> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    let read = file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let kept: Vec<&str> = text.split_inclusive('\n').collect();
    let end = length.saturating_sub(TAIL_BYTES) + read as u64;
    Ok((kept[kept.len().saturating_sub(lines)..].concat(), end))
}

/// The end of a log, indented, for an error message.
pub(super) fn excerpt(path: &Path) -> String {
    let text = tail(path, 20).map_or_else(|error| error.to_string(), |(text, _)| text);
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    format!("the end of {}:\n{}", path.display(), lines.join("\n"))
}

fn names(folder: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return "none".to_owned();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".log")?.to_owned()))
        .collect();
    names.sort();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn the_tail_is_the_last_lines_and_the_place_where_they_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        std::fs::write(&path, "one\ntwo\nthree\nfour").unwrap();
        assert_eq!(tail(&path, 2).unwrap(), ("three\nfour".to_owned(), 18));
        assert_eq!(tail(&path, 99).unwrap().0, "one\ntwo\nthree\nfour");
        assert_eq!(tail(&path, 0).unwrap().0, "");
    }
}
