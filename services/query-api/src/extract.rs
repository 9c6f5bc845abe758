//! Checked values out of paths, queries and headers. Nothing is guessed: what can't be read is a fault that names its parameter,
//! and all faults of a request are told together.

mod body;
mod fields;
mod filter;
mod format;
mod grammar;
mod group;
mod page;
mod params;
mod path;
mod time;

pub(crate) use body::{ids, json_body};
pub(crate) use fields::{Fields, fields};
pub(crate) use filter::{feed_list, order, player_list, walk};
pub(crate) use format::{ExportFormat, GameFormat, export_format, game_format, marks};
pub(crate) use grammar::{
    ExportParams, FeedFilterParams, GroupParams, ListParams, PageParams, PlayerFilterParams,
};
pub(crate) use group::grouping;
pub(crate) use page::{PageRequest, cursor, limit, links, until_id};
pub(crate) use params::{Params, Refusal, number};
pub(crate) use path::{game_id, player_id, rivals};
