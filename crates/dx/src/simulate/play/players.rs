//! Who plays: a few play much, most play little, and everybody has a rating that games move.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const FIRST: [&str; 32] = [
    "amber", "bold", "brisk", "calm", "clever", "crimson", "daring", "dusky", "eager", "early",
    "fabled", "gentle", "golden", "hasty", "humble", "ivory", "jolly", "keen", "lucky", "mellow",
    "nimble", "noble", "patient", "quiet", "rapid", "silver", "sly", "steady", "stormy", "swift",
    "velvet", "wary",
];
const SECOND: [&str; 32] = [
    "badger", "beaver", "bishop", "bison", "castle", "comet", "crane", "falcon", "fox", "gambit",
    "hare", "heron", "ibis", "jackdaw", "king", "knight", "lynx", "magpie", "marten", "newt",
    "otter", "owl", "pawn", "pike", "queen", "raven", "rook", "seal", "stork", "tempo", "vole",
    "wren",
];
/// How far a game moves a rating at most.
const K_FACTOR: f64 = 20.0;
/// How many opponents are looked at before the nearest in strength is taken.
const CANDIDATES: usize = 3;

/// Everybody who may play.
#[derive(Debug)]
pub(super) struct Players {
    names: Vec<Arc<str>>,
    ratings: Vec<i32>,
    /// Up to each player, how much all of them play: Zipf's law, flattened at the top so that nobody is in every game.
    activity: Vec<f64>,
}

impl Players {
    /// The names are the same for every seed, so that players gather games over several runs; the ratings are not.
    pub(super) fn new(seed: u64, count: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x9a1f);
        let mut total = 0.0;
        let flat = 20 + count / 200;
        let activity = (0..count).map(|rank| {
            total += 1.0 / f64::from(u32::try_from(rank + flat).unwrap_or(u32::MAX));
            total
        });
        Self {
            activity: activity.collect(),
            names: (0..count).map(name).collect(),
            // Four throws make a bell.
            ratings: (0..count)
                .map(|_| 1_500 + (0..4).map(|_| rng.random_range(-300..=300)).sum::<i32>())
                .collect(),
        }
    }

    pub(super) fn name(&self, player: usize) -> Arc<str> {
        self.names
            .get(player)
            .cloned()
            .unwrap_or_else(|| name(player))
    }

    pub(super) fn rating(&self, player: usize) -> i32 {
        self.ratings.get(player).copied().unwrap_or(1_500)
    }

    /// Two different players, the second one the nearest in strength of a few.
    pub(super) fn pair(&self, rng: &mut ChaCha8Rng) -> (usize, usize) {
        let first = self.draw(rng);
        let others = (0..CANDIDATES)
            .map(|_| self.draw(rng))
            .filter(|other| *other != first);
        let nearest = others.min_by_key(|other| self.rating(first).abs_diff(self.rating(*other)));
        let other = nearest.unwrap_or((first + 1) % self.names.len());
        if rng.random() {
            (first, other)
        } else {
            (other, first)
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        let total = self.activity.last().copied().unwrap_or_default();
        let point = rng.random::<f64>() * total;
        let drawn = self.activity.partition_point(|up_to| *up_to < point);
        drawn.min(self.names.len() - 1)
    }

    /// How likely the first player beats the second, by Elo.
    pub(super) fn expected(&self, first: usize, second: usize) -> f64 {
        let ahead = f64::from(self.rating(second) - self.rating(first));
        1.0 / (1.0 + 10_f64.powf(ahead / 400.0))
    }

    /// Moves the ratings of a rated game; `score` is the first player's, from 0 to 1. The new ratings in the same order.
    pub(super) fn rate(&mut self, first: usize, second: usize, score: f64) -> [i32; 2] {
        let gain = rounded(K_FACTOR * (score - self.expected(first, second)));
        for (player, gain) in [(first, gain), (second, -gain)] {
            if let Some(rating) = self.ratings.get_mut(player) {
                *rating = (*rating + gain).clamp(100, 3_400);
            }
        }
        [self.rating(first), self.rating(second)]
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "no gain is larger than K_FACTOR"
)]
fn rounded(gain: f64) -> i32 {
    gain.round() as i32
}

fn name(player: usize) -> Arc<str> {
    let pick =
        |words: [&'static str; 32], at: usize| words.get(at % 32).copied().unwrap_or_default();
    // 37 is prime to 32: neighbours get different words on both sides.
    let (first, second) = (pick(FIRST, player), pick(SECOND, player / 32 + player * 37));
    match player / 1_024 {
        0 => format!("{first}-{second}").into(),
        round => format!("{first}-{second}-{round}").into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn everybody_has_a_name_of_their_own() {
        let names: HashSet<_> = (0..5_000).map(name).collect();
        assert_eq!(names.len(), 5_000);
    }

    #[test]
    fn nobody_plays_themselves_even_between_two() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for count in [2, 3, 100] {
            let players = Players::new(1, count);
            assert!(
                (0..2_000)
                    .map(|_| players.pair(&mut rng))
                    .all(|(a, b)| a != b && a < count && b < count)
            );
        }
    }

    #[test]
    fn a_few_play_much_and_most_play_little() {
        let players = Players::new(1, 1_000);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut games = vec![0; 1_000];
        for _ in 0..50_000 {
            games[players.draw(&mut rng)] += 1;
        }
        let top: i32 = games[..100].iter().sum();
        let bottom: i32 = games[900..].iter().sum();
        assert!(top > 10 * bottom && bottom > 0, "{top} {bottom}");
        assert!(
            games[0] < 50_000 / 50,
            "nobody is in every game: {}",
            games[0]
        );
    }

    #[test]
    fn ratings_move_by_what_was_not_expected() {
        let mut players = Players::new(1, 2);
        players.ratings = vec![1_800, 1_400];
        assert_eq!(players.rate(0, 1, 1.0), [1_802, 1_398]);
        assert_eq!(players.rate(0, 1, 0.0), [1_784, 1_416]);
    }
}
