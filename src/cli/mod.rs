/// `blocksmith report`.
pub mod report;
