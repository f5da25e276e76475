//! HTTP to a service that speaks the OpenAI dialect: endpoint, key, retry, errors.
