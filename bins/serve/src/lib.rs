//! The embedded model behind the OpenAI dialect.
