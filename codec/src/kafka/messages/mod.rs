//! The messages, one file each; every field in the words of Kafka's protocol guide.

mod api_versions;
mod create_topics;
mod fetch;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod produce;

pub use api_versions::*;
pub use create_topics::*;
pub use fetch::*;
pub use init_producer_id::*;
pub use list_offsets::*;
pub use metadata::*;
pub use produce::*;
