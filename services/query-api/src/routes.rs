//! One module a route. A handler reads its parameters, asks the store, and makes a view.

pub(crate) mod admin;
pub(crate) mod exporting;
pub(crate) mod games;
pub(crate) mod health;
pub(crate) mod listing;
pub(crate) mod openapi;
pub(crate) mod players;
