//! Checked values out of paths and queries. Nothing is guessed: what can't be read is a fault that names its parameter, and all
//! faults of a request are told together.

mod filter;
mod page;
mod params;
mod path;
mod time;

pub(crate) use filter::{GameFilterParams, game_filter, player_walk};
pub(crate) use page::{PageParams, PageRequest, cursor, limit, next_page};
pub(crate) use params::{Params, Refusal};
pub(crate) use path::{game_id, player_id};
