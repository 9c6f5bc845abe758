//! Every record of the topics into object storage, once, provably whole.
