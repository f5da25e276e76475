//! What a chat costs: its texts, and the tokens that frame them.

use crate::Count;

/// One message of a chat, as far as it is counted.
///
/// # Examples
///
/// ```
/// use tokens::{Encoding, Message, count_chat};
///
/// let unnamed = Message { role: "user", content: "Why the fever?", name: None };
/// let named = Message { name: Some("nurse"), ..unnamed };
/// let count = |message| count_chat(&Encoding::O200k, [message]).total;
/// assert_eq!(count(unnamed), count_chat(&Encoding::O200k, [("user", "Why the fever?")]).total);
/// assert!(count(named) > count(unnamed));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The author's role, `assistant` for what is trained on.
    pub role: &'a str,
    /// The text.
    pub content: &'a str,
    /// The author's name, where the message has one.
    pub name: Option<&'a str>,
}

impl<'a> From<(&'a str, &'a str)> for Message<'a> {
    fn from((role, content): (&'a str, &'a str)) -> Self {
        Self { role, content, name: None }
    }
}

/// The tokens of a chat.
///
/// # Examples
///
/// ```
/// use tokens::{Encoding, count_chat};
///
/// let question = "A 45-year-old woman has had fever and a stiff neck since this morning. What is the next step?";
/// let tokens = count_chat(&Encoding::O200k, [("user", question), ("assistant", "A lumbar puncture.")]);
/// // All is read, and what is learned is the answer alone.
/// assert_eq!(tokens.assistant, Encoding::O200k.count("A lumbar puncture."));
/// assert!(tokens.assistant < tokens.total);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChatTokens {
    /// Everything: texts, roles, names and the framing.
    pub total: usize,
    /// The assistant's texts alone, which is what training learns from.
    pub assistant: usize,
}

/// The tokens that frame the messages of a chat, beside their texts.
///
/// The counting rule and the numbers are those of `OpenAI`'s cookbook, "How to count tokens with tiktoken" (commit
/// c81359c, read 2026-11-22). There every model of today has [`ChatConstants::CURRENT`].
///
/// # Examples
///
/// ```
/// use tokens::{ChatConstants, Count, Encoding};
///
/// let constants = ChatConstants::for_model("ft:gpt-4.1-mini:clinic::abc");
/// assert_eq!(constants, ChatConstants::CURRENT);
/// let chat = [("user", "Why the fever?"), ("assistant", "An infection.")];
/// let texts: usize = chat.iter().map(|(role, text)| Encoding::O200k.count(role) + Encoding::O200k.count(text)).sum();
/// // Three for each of the two messages, and three for the answer's start.
/// assert_eq!(constants.count(&Encoding::O200k, chat).total, texts + 2 * 3 + 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatConstants {
    /// For each message.
    pub per_message: usize,
    /// For each name, in addition to the name's own tokens.
    pub per_name: isize,
    /// Once for a chat: it ends with the start of an answer.
    pub per_conversation: usize,
}

impl ChatConstants {
    /// The constants of every chat model since gpt-3.5-turbo-0613.
    pub const CURRENT: Self = Self { per_message: 3, per_name: 1, per_conversation: 3 };

    /// The constants of `model`, which may be a fine-tuned model's id.
    pub fn for_model(model: &str) -> Self {
        match crate::base_model(model) {
            // The one exception: a name replaced the role, and each message had one token more.
            "gpt-3.5-turbo-0301" => Self { per_message: 4, per_name: -1, per_conversation: 3 },
            _ => Self::CURRENT,
        }
    }

    /// Counts a chat: every text, role and name, and the framing.
    pub fn count<'a, M>(
        &self,
        counter: &dyn Count,
        messages: impl IntoIterator<Item = M>,
    ) -> ChatTokens
    where
        M: Into<Message<'a>>,
    {
        let mut tokens = ChatTokens { total: self.per_conversation, assistant: 0 };
        for message in messages {
            let Message { role, content, name } = message.into();
            let content_tokens = counter.count(content);
            tokens.total += self.per_message + counter.count(role) + content_tokens;
            if let Some(name) = name {
                tokens.total =
                    (tokens.total + counter.count(name)).saturating_add_signed(self.per_name);
            }
            if role == "assistant" {
                tokens.assistant += content_tokens;
            }
        }
        tokens
    }
}

/// Counts a chat with the constants of every current model.
///
/// `messages` are pairs of role and content, or [`Message`]s where there are names.
///
/// # Examples
///
/// ```
/// use tokens::{ChatTokens, Encoding, count_chat};
///
/// let tokens = count_chat(&Encoding::O200k, [("user", "Why the fever?"), ("assistant", "An infection.")]);
/// assert_eq!(tokens, ChatTokens { total: 18, assistant: 3 });
/// ```
pub fn count_chat<'a, M>(counter: &dyn Count, messages: impl IntoIterator<Item = M>) -> ChatTokens
where
    M: Into<Message<'a>>,
{
    ChatConstants::CURRENT.count(counter, messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encoding;

    /// The example of the cookbook's notebook, whose sums the service itself confirmed as `prompt_tokens`.
    const COOKBOOK: [(&str, &str, Option<&str>); 6] = [
        (
            "system",
            "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
            None,
        ),
        ("system", "New synergies will help drive top-line growth.", Some("example_user")),
        (
            "system",
            "Things working well together will increase revenue.",
            Some("example_assistant"),
        ),
        (
            "system",
            "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
            Some("example_user"),
        ),
        (
            "system",
            "Let's talk later when we're less busy about how to do better.",
            Some("example_assistant"),
        ),
        (
            "user",
            "This late pivot means we don't have time to boil the ocean for the client deliverable.",
            None,
        ),
    ];

    fn cookbook_total(model: &str) -> usize {
        let messages = COOKBOOK.map(|(role, content, name)| Message { role, content, name });
        ChatConstants::for_model(model).count(&Encoding::for_model(model).unwrap(), messages).total
    }

    #[test]
    fn the_cookbooks_example_counts_as_the_service_counted_it() {
        assert_eq!(cookbook_total("gpt-3.5-turbo"), 129);
        assert_eq!(cookbook_total("gpt-4-0613"), 129);
        assert_eq!(cookbook_total("gpt-4o"), 124);
        assert_eq!(cookbook_total("ft:gpt-4o-mini-2024-07-18:org::id"), 124);
    }

    #[test]
    fn the_first_chat_model_counted_names_in_place_of_roles() {
        // 129 and 6 messages x 1 more, 4 names x 2 less: what the notebook printed for gpt-3.5-turbo-0301.
        assert_eq!(cookbook_total("gpt-3.5-turbo-0301"), 127);
    }

    #[test]
    fn only_the_assistants_texts_are_learned_from() {
        let tokens = count_chat(
            &Encoding::Cl100k,
            [("user", "a b c"), ("assistant", "d e"), ("assistant", "f")],
        );
        assert_eq!(tokens.assistant, 3);
        assert_eq!(count_chat(&Encoding::Cl100k, <[(&str, &str); 0]>::default()).total, 3);
    }
}
