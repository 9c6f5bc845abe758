//! Revisions written, read back, replaced and broken, in a local directory.

use chrono::{DateTime, NaiveDate, Utc};
use proptest::prelude::*;

use super::*;
use crate::StoreSettings;

struct Archive {
    summaries: Summaries,
    folder: tempfile::TempDir,
}

fn archive() -> Archive {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = ArchiveStore::open(&StoreSettings::at(url)).unwrap();
    Archive {
        summaries: Summaries::new(store),
        folder,
    }
}

fn a_day() -> DayKey {
    DayKey {
        day: NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(),
        region: Region::parse("eu").unwrap(),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn game(id: &str) -> GameRow {
    let made = |ply: i32, player: &str, text: &str, clock_ms| MadeMove {
        ply,
        player_id: player.to_owned(),
        text: text.to_owned(),
        clock_ms,
        moved_at: at("2026-11-20T10:00:00.123Z"),
    };
    let seat = |player: &str, role: &str, rating, result: &str| Seat {
        player_id: player.to_owned(),
        role: role.to_owned(),
        rating,
        rating_after: rating.map(|rating: i32| rating + 5),
        result: result.to_owned(),
    };
    GameRow {
        game_id: id.to_owned(),
        ended_at: at("2026-11-20T10:10:00.5Z"),
        started_at: at("2026-11-20T10:00:00Z"),
        game: "chess".into(),
        variant: "standard".into(),
        mode: "rated".into(),
        time_control: Some("180+2".into()),
        game_region: Some("eu".into()),
        platform: None,
        tournament: None,
        start_position: None,
        result: "win".into(),
        winner: Some("ann".into()),
        termination: "checkmate".into(),
        opening_code: None,
        opening_name: None,
        move_count: 2,
        incomplete: false,
        players: vec![
            seat("ann", "white", Some(1500), "win"),
            seat("bob", "black", None, "loss"),
        ],
        moves: vec![
            made(1, "ann", "e2e4", Some(179_000)),
            made(2, "bob", "e7e5", None),
        ],
    }
}

fn player_row(player: &str, game: &str) -> PlayerRow {
    PlayerRow {
        player_id: player.to_owned(),
        ended_at: at("2026-11-20T10:10:00.5Z"),
        game_id: game.to_owned(),
        started_at: at("2026-11-20T10:00:00Z"),
        role: "white".into(),
        result: "win".into(),
        opponents: vec!["bob".into(), "cyd".into()],
        opponent_rating: None,
        rating: Some(1500),
        rating_after: Some(1505),
        game: "chess".into(),
        variant: "standard".into(),
        mode: "rated".into(),
        time_control: None,
        game_region: None,
        tournament: Some("cup".into()),
        termination: "checkmate".into(),
        opening_code: None,
        opening_name: None,
        move_count: 2,
        incomplete: true,
    }
}

fn made_from(stamp: &str) -> MadeFrom {
    MadeFrom {
        stamp: stamp.to_owned(),
    }
}

async fn write(
    summaries: &Summaries,
    previous: Option<&Revision>,
    games: &[GameRow],
    players: &[PlayerRow],
    limits: FileLimits,
) -> Revision {
    let mut draft = summaries.draft(a_day(), previous, limits);
    for game in games {
        draft.add_game(game.clone()).await.unwrap();
    }
    for row in players {
        draft.add_player_row(row.clone()).await.unwrap();
    }
    let manifest = draft.finish(made_from("x")).await.unwrap();
    match summaries.publish(manifest).await.unwrap() {
        Published::Mine(revision) => *revision,
        Published::Taken => panic!("the number is taken"),
    }
}

async fn read<R: SummaryRow>(summaries: &Summaries, revision: &Revision) -> Result<Vec<R>> {
    let mut rows = summaries.rows::<R>(Some(&revision.manifest));
    let mut found = Vec::new();
    while let Some(row) = rows.next().await? {
        found.push(row);
    }
    Ok(found)
}

fn games(count: usize) -> Vec<GameRow> {
    (0..count)
        .map(|index| game(&format!("g-{index:06}")))
        .collect()
}

/// Every batch of rows makes a file of its own.
const SMALL: FileLimits = FileLimits { file_bytes: 1 };

#[tokio::test]
async fn what_was_written_is_read_back_in_order_over_any_number_of_files() {
    let archive = archive();
    let (games, players) = (
        games(2_500),
        vec![
            player_row("ann", "g-1"),
            player_row("ann", "g-2"),
            player_row("bob", "g-1"),
        ],
    );
    let revision = write(&archive.summaries, None, &games, &players, SMALL).await;
    assert_eq!(revision.manifest.games.len(), 3);
    assert_eq!(revision.manifest.rows(Kind::Games), 2_500);
    let newest = archive.summaries.newest(&a_day()).await.unwrap().unwrap();
    assert_eq!(newest, revision);
    assert_eq!(
        read::<GameRow>(&archive.summaries, &newest).await.unwrap(),
        games
    );
    assert_eq!(
        read::<PlayerRow>(&archive.summaries, &newest)
            .await
            .unwrap(),
        players
    );
    let regions = archive.summaries.regions(a_day().day).await.unwrap();
    assert_eq!(regions, [(a_day().region, RevisionNumber::FIRST)].into());
}

#[tokio::test]
async fn a_row_out_of_order_or_twice_is_refused() {
    let archive = archive();
    let mut draft = archive
        .summaries
        .draft(a_day(), None, FileLimits::default());
    draft.add_game(game("b")).await.unwrap();
    for wrong in ["a", "b"] {
        let error = draft.add_game(game(wrong)).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Encode { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_empty_day_is_a_revision_without_files() {
    let archive = archive();
    let revision = write(&archive.summaries, None, &[], &[], FileLimits::default()).await;
    assert_eq!(revision.manifest.keys().count(), 0);
    assert_eq!(
        read::<GameRow>(&archive.summaries, &revision)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn one_of_two_writers_publishes_a_revision_and_a_repeated_try_is_ones_own() {
    let archive = archive();
    let summaries = &archive.summaries;
    let draft = async |id: &str| {
        let mut draft = summaries.draft(a_day(), None, FileLimits::default());
        draft.add_game(game(id)).await.unwrap();
        draft.finish(made_from(id)).await.unwrap()
    };
    let (mine, theirs) = (draft("a").await, draft("b").await);
    let published = summaries.publish(mine.clone()).await.unwrap();
    assert!(matches!(published, Published::Mine(_)));
    assert_eq!(summaries.publish(mine).await.unwrap(), published);
    assert_eq!(summaries.publish(theirs).await.unwrap(), Published::Taken);
    assert_eq!(summaries.sweep(&a_day(), false).await.unwrap(), 1);
    let newest = summaries.newest(&a_day()).await.unwrap().unwrap();
    assert_eq!(
        read::<GameRow>(summaries, &newest).await.unwrap(),
        [game("a")]
    );
}

#[tokio::test]
async fn an_older_revision_stays_readable_until_it_is_swept() {
    let archive = archive();
    let summaries = &archive.summaries;
    let limits = FileLimits::default();
    let first = write(summaries, None, &[game("a")], &[], limits).await;
    let second = write(
        summaries,
        Some(&first),
        &[game("a"), game("b")],
        &[],
        limits,
    )
    .await;
    assert_eq!(second.manifest.previous_sha256, Some(first.sha256));
    assert_eq!(
        summaries.newest(&a_day()).await.unwrap().as_ref(),
        Some(&second)
    );
    // A draft of the next number may be published any moment: its files are nobody's to sweep.
    let mut draft = summaries.draft(a_day(), Some(&second), limits);
    draft.add_game(game("c")).await.unwrap();
    let third = draft.finish(made_from("y")).await.unwrap();

    assert_eq!(summaries.sweep(&a_day(), false).await.unwrap(), 0);
    assert_eq!(read::<GameRow>(summaries, &first).await.unwrap().len(), 1);
    assert_eq!(summaries.sweep(&a_day(), true).await.unwrap(), 1);
    let error = read::<GameRow>(summaries, &first).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Missing { .. }), "{error}");
    assert_eq!(read::<GameRow>(summaries, &second).await.unwrap().len(), 2);
    assert!(matches!(
        summaries.publish(third).await.unwrap(),
        Published::Mine(_)
    ));
}

#[tokio::test]
async fn a_changed_cut_or_missing_file_is_named() {
    let archive = archive();
    let summaries = &archive.summaries;
    let revision = write(summaries, None, &games(50), &[], FileLimits::default()).await;
    let key = revision.manifest.games[0].key.to_string();
    let path = archive.folder.path().join(&key);
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [Some(flipped), Some(whole[..whole.len() - 9].to_vec()), None] {
        match bytes {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = read::<GameRow>(summaries, &revision).await.unwrap_err();
        assert!(
            error.is_damage() && error.to_string().contains(&key),
            "{error}"
        );
    }
}

#[tokio::test]
async fn one_game_is_found_by_its_id_in_any_file_of_any_region() {
    let archive = archive();
    let summaries = &archive.summaries;
    write(summaries, None, &games(2_500), &[], SMALL).await;
    let mut asia = summaries.draft(
        DayKey {
            region: Region::parse("asia").unwrap(),
            ..a_day()
        },
        None,
        SMALL,
    );
    asia.add_game(game("g-000000-asia")).await.unwrap();
    let asia = asia.finish(made_from("z")).await.unwrap();
    summaries.publish(asia).await.unwrap();

    for id in [
        "g-000000",
        "g-001023",
        "g-001024",
        "g-002499",
        "g-000000-asia",
    ] {
        let found = summaries.find_game(id, a_day().day).await.unwrap();
        assert_eq!(found, Some(game(id)), "{id}");
    }
    for id in ["", "g-", "g-000000x", "z"] {
        assert_eq!(
            summaries.find_game(id, a_day().day).await.unwrap(),
            None,
            "{id}"
        );
    }
    let other_day = a_day().day.succ_opt().unwrap();
    assert_eq!(
        summaries.find_game("g-000000", other_day).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_damaged_region_keeps_nobody_from_another_ones_game_and_what_it_may_have_is_not_denied() {
    let archive = archive();
    let summaries = &archive.summaries;
    write(summaries, None, &games(50), &[], FileLimits::default()).await;
    // Looked at first, and by its bounds it may have any of the games.
    let asia = DayKey {
        region: Region::parse("asia").unwrap(),
        ..a_day()
    };
    let mut draft = summaries.draft(asia, None, FileLimits::default());
    for id in ["a", "z"] {
        draft.add_game(game(id)).await.unwrap();
    }
    let asia = draft.finish(made_from("z")).await.unwrap();
    let key = asia.games[0].key.clone();
    summaries.publish(asia).await.unwrap();
    std::fs::write(archive.folder.path().join(key.as_str()), "no Parquet").unwrap();

    let found = summaries.find_game("g-000025", a_day().day).await;
    assert_eq!(found.unwrap(), Some(game("g-000025")));
    let error = summaries.find_game("h", a_day().day).await.unwrap_err();
    assert!(error.to_string().contains(key.as_str()), "{error}");
}

#[tokio::test]
async fn a_hostile_file_is_named_when_a_game_is_looked_for() {
    let archive = archive();
    let revision = write(
        &archive.summaries,
        None,
        &games(50),
        &[],
        FileLimits::default(),
    )
    .await;
    let file = &revision.manifest.games[0];
    let path = archive.folder.path().join(file.key.as_str());
    let whole = std::fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(97) {
        let mut hostile = whole.clone();
        hostile[place..]
            .iter_mut()
            .take(16)
            .for_each(|byte| *byte ^= 0xa5);
        std::fs::write(&path, hostile).unwrap();
        let found = archive.summaries.find_game("g-000025", a_day().day).await;
        match found {
            Err(error) => assert!(error.to_string().contains(file.key.as_str()), "{error}"),
            Ok(found) => assert!(found.is_none_or(|found| found.game_id == "g-000025")),
        }
    }
}

#[tokio::test]
async fn every_kind_of_difference_is_found() {
    let archive = archive();
    let written: Vec<GameRow> = ["b", "c", "d"].map(game).into();
    let revision = write(
        &archive.summaries,
        None,
        &written,
        &[],
        FileLimits::default(),
    )
    .await;
    let against = async |source: Vec<GameRow>| {
        let archived = archive.summaries.rows::<GameRow>(Some(&revision.manifest));
        let source = futures::stream::iter(source.into_iter().map(Ok::<_, ArchiveError>));
        compare(archived, source).await.unwrap()
    };
    assert_eq!(
        against(written.clone()).await,
        Compared {
            same: 3,
            ..Compared::default()
        }
    );
    let lacking = against(["a", "b", "c", "d"].map(game).into()).await;
    assert_eq!(lacking.example, Some(Difference::Lacking("\"a\"".into())));
    let unknown = against(["b", "d"].map(game).into()).await;
    assert_eq!(unknown.example, Some(Difference::Unknown("\"c\"".into())));
    let mut changed = written;
    changed[2].moves[1].clock_ms = Some(1);
    let changed = against(changed).await;
    assert_eq!((changed.same, changed.different), (2, 1));
    assert_eq!(changed.example, Some(Difference::Changed("\"d\"".into())));
    assert_eq!(against(Vec::new()).await.different, 3);
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused() {
    let day = a_day();
    let sound = SummaryManifest::new(
        &day,
        RevisionNumber::FIRST,
        None,
        uuid::Uuid::nil(),
        made_from("x"),
    );
    let parse = |manifest: &SummaryManifest| {
        SummaryManifest::parse(&day, RevisionNumber::FIRST, &manifest.to_bytes())
    };
    assert_eq!(parse(&sound).unwrap(), sound);
    let file = |part, first: &str, last: &str| SummaryFile {
        key: day.file(Kind::Games, RevisionNumber::FIRST, part, uuid::Uuid::nil()),
        rows: 1,
        first: first.into(),
        last: last.into(),
        bytes: 1,
        sha256: Sha256::of(b""),
    };
    let changes: [fn(&mut SummaryManifest); 4] = [
        |wrong| wrong.version = 2,
        |wrong| wrong.region = "us".into(),
        |wrong| wrong.revision = RevisionNumber::new(2),
        |wrong| wrong.previous_sha256 = Some(Sha256::of(b"x")),
    ];
    let mut wrongs: Vec<SummaryManifest> = changes
        .iter()
        .map(|change| {
            let mut wrong = sound.clone();
            change(&mut wrong);
            wrong
        })
        .collect();
    for files in [
        vec![file(0, "b", "c"), file(1, "a", "a")],
        vec![file(0, "b", "a")],
    ] {
        wrongs.push(SummaryManifest {
            games: files.clone(),
            ..sound.clone()
        });
        wrongs.push(SummaryManifest {
            players: vec![file(0, "a", "a")],
            ..sound.clone()
        });
    }
    for wrong in wrongs {
        assert!(parse(&wrong).is_err(), "{wrong:?}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    "\\PC{1,20}"
}

proptest! {
    #[test]
    fn any_game_is_read_back_as_it_was(
        id in any_text(), text in any_text(), if_text in proptest::option::of(any_text()), micros in 0..4_000_000_000_000_000_i64,
        rating in proptest::option::of(any::<i32>()), clock in proptest::option::of(any::<i64>()), plies in 0..20_i32,
    ) {
        let time = DateTime::from_timestamp_micros(micros).unwrap();
        let mut row = game(&id);
        row.ended_at = time;
        row.termination.clone_from(&text);
        row.platform.clone_from(&if_text);
        row.opening_name = if_text;
        row.players[0].rating = rating;
        row.moves = (0..plies)
            .map(|ply| MadeMove { ply, player_id: id.clone(), text: text.clone(), clock_ms: clock, moved_at: time })
            .collect();
        let rows = vec![row.clone(), game("other"), row];
        let batch = GameRow::to_batch(&rows, RevisionNumber::FIRST).unwrap();
        prop_assert_eq!(GameRow::from_batch(&batch).unwrap(), rows);
    }
}
