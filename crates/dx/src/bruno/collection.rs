//! Bruno's files: a request a file, made of blocks. Only what the collection uses is understood; anything else is an error that names it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

/// The requests of a folder in the order in which they are sent: folder by folder, by their `seq`.
#[derive(Debug)]
pub(super) struct Collection {
    pub(super) requests: Vec<Request>,
}

/// Pairs of a block, in their order.
pub(super) type Pairs = Vec<(String, String)>;

/// One file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// The file's path inside the collection.
    pub(super) file: String,
    pub(super) seq: u32,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Pairs,
    /// A body, and its media type.
    pub(super) body: Option<(String, &'static str)>,
    /// Variables, set from the answer.
    pub(super) variables: Pairs,
    pub(super) assertions: Pairs,
}

impl Collection {
    /// Reads every request below a folder.
    ///
    /// # Errors
    /// A file can't be read, or has something in it that this runner does not understand.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut requests = Vec::new();
        for file in files(folder)? {
            let name = file.strip_prefix(folder)?.display().to_string();
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let request = Request::parse(&text).with_context(|| name.clone())?;
            requests.push(Request {
                file: name,
                ..request
            });
        }
        ensure!(
            !requests.is_empty(),
            "there are no requests in {}",
            folder.display()
        );
        requests.sort_by(|a, b| (parent(&a.file), a.seq).cmp(&(parent(&b.file), b.seq)));
        Ok(Self { requests })
    }
}

fn parent(file: &str) -> Option<&Path> {
    Path::new(file).parent()
}

/// The request files below a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("there is no collection in {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let about = ["folder.bru", "collection.bru"];
        if path.is_dir() {
            // They hold values for Bruno's own window.
            if !path.ends_with("environments") {
                files.extend(self::files(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "bru")
            && !about.iter().any(|name| path.ends_with(name))
        {
            files.push(path);
        }
    }
    Ok(files)
}

impl Request {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut request = Self::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.trim().is_empty() {
                continue;
            }
            let name = line
                .strip_suffix(" {")
                .with_context(|| format!("`{line}` begins no block"))?;
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
            request.take(name, &inside)?;
        }
        ensure!(!request.url.is_empty(), "there is no request");
        Ok(request)
    }

    fn take(&mut self, name: &str, lines: &[&str]) -> anyhow::Result<()> {
        match name {
            "meta" => {
                let seq = find(&pairs(lines)?, "seq").unwrap_or_default();
                self.seq = seq.parse().context("`seq` is no number")?;
            }
            "get" | "post" | "put" | "delete" | "head" | "options" => {
                self.method = name.to_uppercase();
                self.url = find(&pairs(lines)?, "url").context("there is no `url`")?;
            }
            "headers" => self.headers = pairs(lines)?,
            "body:json" => self.body = Some((dedented(lines), "application/json")),
            "body:text" => self.body = Some((dedented(lines), "text/plain")),
            "vars:post-response" => self.variables = pairs(lines)?,
            "assert" => self.assertions = pairs(lines)?,
            "docs" => {}
            other => bail!("the block `{other}` is not understood; `bru` may"),
        }
        Ok(())
    }
}

fn find(pairs: &Pairs, key: &str) -> Option<String> {
    let found = pairs.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.clone())
}

/// `key: value`, a line each.
fn pairs(lines: &[&str]) -> anyhow::Result<Pairs> {
    let lines = lines.iter().map(|line| line.trim());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            ensure!(
                !line.starts_with('~'),
                "`{line}` is switched off; take it out"
            );
            let (key, value) = line
                .split_once(':')
                .with_context(|| format!("`{line}` is not `key: value`"))?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

fn dedented(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.strip_prefix("  ").unwrap_or(line))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "meta {\n  name: a game\n  type: http\n  seq: 7\n}\n\nget {\n  url: {{baseUrl}}/v1/games/{{id}}?x=a:b\n  body: none\n}\n\n\
        headers {\n  accept: text/csv\n}\n\nvars:post-response {\n  next: res.body.page.next\n}\n\nassert {\n  res.status: eq 200\n  \
        res.headers['content-type']: contains json\n}\n";

    #[test]
    fn a_file_is_read_block_by_block() {
        let request = Request::parse(FILE).unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!((request.seq, request.method.as_str()), (7, "GET"));
        assert_eq!(request.url, "{{baseUrl}}/v1/games/{{id}}?x=a:b");
        assert_eq!(request.headers, [pair("accept", "text/csv")]);
        assert_eq!(request.variables, [pair("next", "res.body.page.next")]);
        assert_eq!(
            request.assertions[1],
            pair("res.headers['content-type']", "contains json")
        );
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let script = format!("{FILE}\nscript:post-response {{\n  bru.setVar('a', 1)\n}}\n");
        let error = Request::parse(&script).unwrap_err().to_string();
        assert!(error.contains("script:post-response"), "{error}");
        let off = FILE.replace("  accept", "  ~accept");
        assert!(Request::parse(&off).is_err());
    }
}
