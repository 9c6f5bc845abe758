//! How a PGN game ended: its result, what the `Termination` tag says, and what stands on the board.

use chess::pgn::{FoundGame, PgnResult};
use chess::{Color, Outcome};
use events::Payload;
use events::wire::{EndDetails, EndResult, GameAborted, GameEnded, GameResigned, GameTimeout};

use super::Refusal;

/// The end of a game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Won {
        winner: Color,
        termination: &'static str,
    },
    Resigned {
        loser: Color,
    },
    TimedOut {
        loser: Color,
    },
    Drawn {
        termination: &'static str,
    },
    Aborted {
        termination: &'static str,
    },
    /// No result: the game goes on.
    Open,
}

impl Ending {
    /// Reads the end of a game; [`Ending::Open`] when there is none.
    pub(super) fn of(found: &FoundGame) -> Result<Self, Refusal> {
        let said = said(found);
        match found.game.result {
            PgnResult::WhiteWins => decisive(Color::White, &said, found.outcome),
            PgnResult::BlackWins => decisive(Color::Black, &said, found.outcome),
            PgnResult::Draw => drawn(&said, found.outcome),
            PgnResult::Unknown if said.contains("abandon") => Ok(Self::Aborted {
                termination: "abandoned",
            }),
            PgnResult::Unknown if said.contains("abort") => Ok(Self::Aborted {
                termination: "aborted",
            }),
            PgnResult::Unknown => Ok(Self::Open),
        }
    }

    /// The event's payload; `None` for an open game.
    pub(super) fn payload(
        &self,
        white: &str,
        black: &str,
        details: EndDetails<'static>,
    ) -> Option<Payload<'static>> {
        let name = |color: Color| match color {
            Color::White => white.to_owned().into(),
            Color::Black => black.to_owned().into(),
        };
        Some(match *self {
            Self::Won {
                winner,
                termination,
            } => Payload::GameEnded(GameEnded {
                result: EndResult::Win,
                winner: Some(name(winner)),
                termination: termination.into(),
                details,
            }),
            Self::Drawn { termination } => Payload::GameEnded(GameEnded {
                result: EndResult::Draw,
                winner: None,
                termination: termination.into(),
                details,
            }),
            Self::Resigned { loser } => Payload::GameResigned(GameResigned {
                player_id: name(loser),
                winner: None,
                details,
            }),
            Self::TimedOut { loser } => Payload::GameTimeout(GameTimeout {
                player_id: name(loser),
                winner: None,
                details,
            }),
            Self::Aborted { termination } => Payload::GameAborted(GameAborted {
                termination: termination.into(),
                details,
            }),
            Self::Open => return None,
        })
    }
}

/// The `Termination` tag in lower case, without the player's name that may begin it: a name may hold any word.
fn said(found: &FoundGame) -> String {
    let tags = &found.game.tags;
    let text = tags.known("Termination").unwrap_or_default();
    let named = ["White", "Black"]
        .into_iter()
        .filter_map(|color| tags.known(color));
    let rest = named
        .filter_map(|name| text.strip_prefix(name))
        .find(|rest| rest.starts_with(' '));
    rest.unwrap_or(text).to_ascii_lowercase()
}

fn decisive(winner: Color, said: &str, outcome: Option<Outcome>) -> Result<Ending, Refusal> {
    let loser = winner.other();
    match outcome {
        Some(Outcome::Checkmate { winner: mated_by }) if mated_by == winner => {
            return Ok(Ending::Won {
                winner,
                termination: "checkmate",
            });
        }
        Some(Outcome::Checkmate { winner: mated_by }) => {
            return Err(Refusal::MateByLoser { mated_by });
        }
        _ => {}
    }
    let won = |termination| {
        Ok(Ending::Won {
            winner,
            termination,
        })
    };
    match said {
        _ if said.contains("resign") || said == "normal" => Ok(Ending::Resigned { loser }),
        _ if said.contains("abandon") => won("abandoned"),
        _ if said.contains("time") => Ok(Ending::TimedOut { loser }),
        _ if said.contains("adjudicat") => won("adjudication"),
        _ if said.contains("infraction") => won("rules_infraction"),
        _ => won("unknown"),
    }
}

fn drawn(said: &str, outcome: Option<Outcome>) -> Result<Ending, Refusal> {
    let on_board = match outcome {
        Some(Outcome::Checkmate { winner: mated_by }) => {
            return Err(Refusal::MateByLoser { mated_by });
        }
        Some(Outcome::Draw(drawn)) => Some(drawn.as_str()),
        None => None,
    };
    let termination = match said {
        _ if said.contains("agree") => "agreement",
        _ if said.contains("stalemate") => "stalemate",
        _ if said.contains("repetition") => "repetition",
        _ if said.contains("time") => "timeout_vs_insufficient",
        _ if said.contains("insufficient") => "insufficient_material",
        _ if said.contains("50") || said.contains("fifty") => "fifty_moves",
        _ if said.contains("abandon") => "abandoned",
        _ if said.contains("adjudicat") => "adjudication",
        "normal" => on_board.unwrap_or("agreement"),
        _ => on_board.unwrap_or("unknown"),
    };
    Ok(Ending::Drawn { termination })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(result: &str, termination: &str, moves: &str) -> Result<Ending, Refusal> {
        let text = format!(
            "[White \"on time\"]\n[Black \"b\"]\n[Result \"{result}\"]\n[Termination \"{termination}\"]\n\n{moves} {result}"
        );
        Ending::of(
            &chess::pgn::Reader::new(text.as_bytes())
                .next()
                .unwrap()
                .unwrap(),
        )
    }

    const MATE: &str = "1. f3 e5 2. g4 Qh4#";
    const STALEMATE: &str = "1. e3 a5 2. Qh5 Ra6 3. Qxa5 h5 4. Qxc7 Rah6 5. h4 f6 6. Qxd7+ Kf7 7. Qxb7 Qd3 8. Qxb8 Qh7 9. Qxc8 Kg6 10. Qe6";

    #[test]
    fn decisive_games_end_as_their_termination_says() {
        let (winner, loser) = (Color::White, Color::Black);
        let won = |termination| Ending::Won {
            winner,
            termination,
        };
        for (said, wanted) in [
            ("on time won by resignation", Ending::Resigned { loser }),
            ("on time won on time", Ending::TimedOut { loser }),
            ("Time forfeit", Ending::TimedOut { loser }),
            ("Normal", Ending::Resigned { loser }),
            ("on time won - game abandoned", won("abandoned")),
            ("Rules infraction", won("rules_infraction")),
            ("on time won somehow", won("unknown")),
            ("", won("unknown")),
        ] {
            assert_eq!(ending("1-0", said, "1. e4").unwrap(), wanted, "{said}");
        }
    }

    #[test]
    fn a_mate_on_the_board_is_a_mate_whatever_the_tag_says_and_only_for_its_winner() {
        let won = Ending::Won {
            winner: Color::Black,
            termination: "checkmate",
        };
        assert_eq!(ending("0-1", "Normal", MATE).unwrap(), won);
        assert!(matches!(
            ending("1-0", "Normal", MATE),
            Err(Refusal::MateByLoser { .. })
        ));
        assert!(matches!(
            ending("1/2-1/2", "", MATE),
            Err(Refusal::MateByLoser { .. })
        ));
    }

    #[test]
    fn draws_end_as_their_termination_or_the_board_says() {
        for (said, moves, wanted) in [
            ("Game drawn by agreement", "1. e4", "agreement"),
            ("Game drawn by repetition", "1. e4", "repetition"),
            (
                "Game drawn by timeout vs insufficient material",
                "1. e4",
                "timeout_vs_insufficient",
            ),
            ("Time forfeit", "1. e4", "timeout_vs_insufficient"),
            (
                "Game drawn by insufficient material",
                "1. e4",
                "insufficient_material",
            ),
            ("Game drawn by 50-move rule", "1. e4", "fifty_moves"),
            ("Normal", "1. e4", "agreement"),
            ("Normal", STALEMATE, "stalemate"),
            ("", STALEMATE, "stalemate"),
            ("", "1. e4", "unknown"),
        ] {
            assert_eq!(
                ending("1/2-1/2", said, moves).unwrap(),
                Ending::Drawn {
                    termination: wanted
                },
                "{said}"
            );
        }
    }

    #[test]
    fn a_game_without_a_result_is_aborted_when_it_says_so_and_open_else() {
        assert_eq!(
            ending("*", "Game aborted", "1. e4").unwrap(),
            Ending::Aborted {
                termination: "aborted"
            }
        );
        assert_eq!(
            ending("*", "Abandoned", "1. e4").unwrap(),
            Ending::Aborted {
                termination: "abandoned"
            }
        );
        assert_eq!(ending("*", "Unterminated", "1. e4").unwrap(), Ending::Open);
    }
}
