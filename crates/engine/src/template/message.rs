//! One message of a conversation.

use std::fmt;

/// A message of a conversation, as a chat template takes it.
#[derive(Clone, PartialEq)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user` or `assistant`, or what else the template knows.
    pub role: String,
    /// What is said.
    pub content: String,
    /// For assistant messages in training: how much its tokens count (none is 1).
    pub weight: Option<f32>,
}

impl ChatMessage {
    /// A message that counts as it should by its role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), weight: None }
    }
}

/// Shows the length of the content and never the content, which may be a patient's.
impl fmt::Debug for ChatMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ChatMessage")
            .field("role", &self.role)
            .field("content_bytes", &self.content.len())
            .field("weight", &self.weight)
            .finish()
    }
}
