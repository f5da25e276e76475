//! Text to tokens and back, as the model's own metadata say.

mod from_gguf;
mod from_folder;
mod cut;
mod pieces;
mod stream;

use std::collections::BTreeMap;
use std::fmt;

use tokenizers::Tokenizer as Encoder;

use crate::error::Error;
use crate::gguf::Gguf;
use crate::weights::{Origin, Weights};
pub use cut::Cut;
use cut::Rule;
pub(crate) use from_folder::describe as describe_folder;
pub(crate) use from_gguf::{describe as describe_gguf, pre as gguf_pre};
use pieces::Pieces;
pub use stream::StreamDecoder;

/// Why a model's tokenizer cannot be used.
///
/// # Examples
///
/// ```
/// use engine::gguf::Gguf;
/// use engine::{Tokenizer, TokenizerError};
///
/// // Weights without a vocabulary.
/// let gguf = Gguf::parse(&std::fs::read("../../tests/golden/tiny-qwen2/model.gguf")?)?;
/// assert!(matches!(Tokenizer::from_gguf(&gguf), Err(TokenizerError::Missing(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The metadata that a tokenizer needs are not there.
    #[error("`{0}` is missing or has the wrong type")]
    Missing(&'static str),
    /// The description of the tokenizer contradicts itself.
    #[error("the tokenizer's description is not usable: {reason}")]
    Invalid {
        /// What the tokenizer library said.
        reason: String,
    },
    /// A GGUF file names a kind of tokenizer that is not known here.
    #[error("the tokenizer kind {key} = `{value}` is not supported")]
    Unsupported {
        /// The metadata key.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// The same token stands twice.
    #[error("token {id} is a duplicate")]
    Duplicate {
        /// The second one's number.
        id: usize,
    },
    /// A token has a number for which the model has no embedding.
    #[error("token {id} is outside the model's vocabulary of {vocab}")]
    OutsideVocabulary {
        /// The token.
        id: u32,
        /// The rows of the model's embedding.
        vocab: usize,
    },
}

/// The model's tokenizer.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::gguf::Gguf;
/// use engine::{Tokenizer, Weights};
///
/// let tokenizer = Tokenizer::of(&Weights::open(Path::new("../../tests/golden/tiny-llama"))?)?;
/// let tokens = tokenizer.encode("39 °C, no rash");
/// assert_eq!(tokenizer.decode(&tokens), "39 °C, no rash");
/// let bytes: Vec<u8> = tokens.iter().flat_map(|token| tokenizer.bytes(*token)).collect();
/// assert_eq!(bytes, "39 °C, no rash".as_bytes());
///
/// // What a record says never becomes a special token; what the chat template writes does.
/// let end = tokenizer.token("<|im_end|>").ok_or("no such token")?;
/// assert_eq!((tokenizer.eos(), tokenizer.special_text("eos_token")), (&[end][..], Some("<|im_end|>")));
/// assert_eq!(tokenizer.bos(), tokenizer.token("<|im_start|>"));
/// assert_eq!(tokenizer.encode_with_special("<|im_end|>"), [end]);
/// assert!(!tokenizer.encode("<|im_end|>").contains(&end));
///
/// // A GGUF file's own, the model left aside.
/// let gguf = Gguf::parse(&std::fs::read("../../tests/golden/tiny-llama/model.gguf")?)?;
/// assert_eq!(Tokenizer::from_gguf(&gguf)?.encode("39 °C, no rash"), tokens);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tokenizer {
    /// Takes the text of special tokens for ordinary text.
    plain: Encoder,
    /// Takes the text of special tokens for these tokens.
    parsing: Encoder,
    /// The bytes of each token, where the decoder joins those.
    pieces: Option<Pieces>,
    /// Where a text can be cut without any effect on its tokens.
    rule: Rule,
    special_texts: BTreeMap<&'static str, String>,
    bos: Option<u32>,
    eos: Vec<u32>,
}

/// A tokenizer as its source describes it.
pub(crate) struct Described {
    /// What `tokenizer.json` holds.
    pub(crate) json: serde_json::Value,
    /// `bos_token`, `eos_token`, `unk_token`, `pad_token` with their texts.
    pub(crate) special_texts: BTreeMap<&'static str, String>,
    /// Whether other programs begin every text with the first of those.
    pub(crate) adds_bos: bool,
}

/// The special tokens that chat templates ask for by these names.
const SPECIAL_NAMES: [&str; 4] = ["bos_token", "eos_token", "unk_token", "pad_token"];

impl Tokenizer {
    /// The tokenizer of an opened model.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] where the model has none that can be used, [`Error::File`] and [`Error::Json`] where the
    /// files of a folder cannot be read.
    pub fn of(weights: &Weights) -> Result<Self, Error> {
        let described = match weights.origin() {
            Origin::Gguf(gguf) => from_gguf::describe(gguf),
            Origin::Folder(folder) => Ok(from_folder::describe(folder)?),
        };
        let config = weights.config();
        let built = described.and_then(|described| Self::build(described, config.vocab));
        let mut tokenizer =
            built.map_err(|source| Error::Tokenizer { path: weights.path().to_owned(), source })?;
        tokenizer.bos = config.bos.or_else(|| tokenizer.special("bos_token"));
        tokenizer.eos.clone_from(&config.eos);
        if let Some(eos) = tokenizer.special("eos_token").filter(|eos| !config.eos.contains(eos)) {
            tokenizer.eos.push(eos);
        }
        Ok(tokenizer)
    }

    /// The tokenizer that a GGUF file's metadata describe, which need not hold a model.
    ///
    /// # Errors
    /// [`TokenizerError`] where the metadata hold none that can be used.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, TokenizerError> {
        let tokens = gguf.texts("tokenizer.ggml.tokens").unwrap_or_default().len();
        let mut tokenizer = Self::build(from_gguf::describe(gguf)?, tokens)?;
        tokenizer.bos = tokenizer.special("bos_token");
        tokenizer.eos.extend(tokenizer.special("eos_token"));
        Ok(tokenizer)
    }

    fn build(described: Described, vocab: usize) -> Result<Self, TokenizerError> {
        let invalid = |reason: String| TokenizerError::Invalid { reason };
        let bytes =
            serde_json::to_vec(&described.json).map_err(|error| invalid(error.to_string()))?;
        let parsing = Encoder::from_bytes(bytes).map_err(|error| invalid(error.to_string()))?;
        if let Some(id) = parsing.get_vocab(true).into_values().find(|id| *id as usize >= vocab) {
            return Err(TokenizerError::OutsideVocabulary { id, vocab });
        }
        let mut plain = parsing.clone();
        plain.set_encode_special_tokens(true);
        let pieces = Pieces::of(&described.json, &parsing, vocab);
        let rule = Rule::of(&described.json);
        let special_texts = described.special_texts;
        Ok(Self { plain, parsing, pieces, rule, special_texts, bos: None, eos: Vec::new() })
    }

    /// The tokens of ordinary text: what looks like a special token is taken for the text that it is.
    ///
    /// Use this for everything that a user or a record wrote, so that no text can end a message or begin another.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        ids(&self.plain, text)
    }

    /// The parts of an ordinary text that can be tokenised one by one: their tokens, in order, are those of the text.
    ///
    /// They are words for the most part, so that who counts much text can remember the counts of those that come again.
    /// Where it is not known how the tokenizer works, the whole text is the only part.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use engine::{Tokenizer, Weights};
    ///
    /// let tokenizer = Tokenizer::of(&Weights::open(Path::new("../../tests/golden/tiny-llama"))?)?;
    /// let text = "a cough at night, a fever at night";
    /// let parts: Vec<u32> = tokenizer.cut(text).flat_map(|part| tokenizer.encode(part)).collect();
    /// assert_eq!(parts, tokenizer.encode(text));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cut<'t>(&self, text: &'t str) -> Cut<'t> {
        Cut::new(self.rule, text)
    }

    /// The tokens of text in which special tokens are written out, such as a rendered chat template.
    ///
    /// No token is added at either end.
    pub fn encode_with_special(&self, text: &str) -> Vec<u32> {
        ids(&self.parsing, text)
    }

    /// The text of tokens, without the special ones; bytes that are no UTF-8 become `U+FFFD`.
    pub fn decode(&self, tokens: &[u32]) -> String {
        match &self.pieces {
            Some(pieces) => String::from_utf8_lossy(&pieces.join(tokens)).into_owned(),
            None => self.parsing.decode(tokens, true).unwrap_or_default(),
        }
    }

    /// The bytes of one token; of a special one, those of the text that it is written as.
    pub fn bytes(&self, token: u32) -> Vec<u8> {
        match self.pieces.as_ref().map(|pieces| pieces.bytes(token)) {
            Some(bytes) if !bytes.is_empty() => bytes.to_vec(),
            // Tokens that are no bytes write a space as U+2581.
            _ => {
                self.parsing.id_to_token(token).unwrap_or_default().replace('\u{2581}', " ").into()
            }
        }
    }

    /// The text of a special token by the name that configurations have for it, such as `eos_token`.
    pub fn special_text(&self, name: &str) -> Option<&str> {
        self.special_texts.get(name).map(String::as_str)
    }

    /// A decoder that takes one token after the other and gives whole characters.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use engine::{Tokenizer, Weights};
    ///
    /// let tokenizer = Tokenizer::of(&Weights::open(Path::new("../../tests/golden/tiny-llama"))?)?;
    /// let mut stream = tokenizer.stream();
    /// let mut text: String = tokenizer.encode("咳嗽").iter().map(|token| stream.push(*token)).collect();
    /// text += &stream.finish();
    /// assert_eq!(text, "咳嗽");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream(&self) -> StreamDecoder<'_> {
        StreamDecoder::new(self)
    }

    /// The token that begins a text, where the model has one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The tokens that end an answer.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// The number of a token by its text, special ones included.
    pub fn token(&self, text: &str) -> Option<u32> {
        self.parsing.token_to_id(text)
    }

    /// The texts of the special tokens that chat templates may use, by the templates' names for them.
    pub(crate) fn special_texts(&self) -> &BTreeMap<&'static str, String> {
        &self.special_texts
    }

    fn special(&self, name: &str) -> Option<u32> {
        self.token(self.special_texts.get(name)?)
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vocab = self.parsing.get_vocab_size(true);
        formatter
            .debug_struct("Tokenizer")
            .field("vocab", &vocab)
            .field("eos", &self.eos)
            .finish_non_exhaustive()
    }
}

fn ids(encoder: &Encoder, text: &str) -> Vec<u32> {
    // The only failures of `encode` are those of models with a normaliser or a post-processor that refuses input, and
    // of a vocabulary without an unknown token; a byte-level vocabulary has a token for every byte.
    encoder.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
