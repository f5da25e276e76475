//! The command line and the environment, made one.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use cli::{Environment, Exit, Failure, ResultExt as _};
use connect::BaseModel;
use server::Token;

use crate::arguments::Arguments;

/// Everything that decides what is served, where and to whom.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) address: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) token: Option<Token>,
    pub(crate) base_model: BaseModel,
}

impl Config {
    pub(crate) fn resolve(
        arguments: Arguments,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let address: SocketAddr = arguments
            .addr
            .parse()
            .with_context(|| format!("`--addr {}`", arguments.addr))
            .map_err(|error| {
                Failure::new(Exit::Usage, error).hint("an address is like 127.0.0.1:8080")
            })?;
        let token = token(arguments.token.as_deref().or(environment.get("MEDTUNE_TOKEN")))?;
        if token.is_none() && !address.ip().is_loopback() {
            let error =
                anyhow!("{address} can be reached from other machines, and there is no token");
            let hint = "set MEDTUNE_TOKEN or give --token, or listen on 127.0.0.1";
            return Err(Failure::new(Exit::Usage, error).hint(hint));
        }
        Ok(Self {
            address,
            data_dir: connect::data_dir(arguments.data_dir, environment),
            token,
            base_model: BaseModel::new(&arguments.base_model, environment)?,
        })
    }
}

fn token(text: Option<&str>) -> Result<Option<Token>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let token = Token::new(text).ok_or_else(|| anyhow!("the token is empty or holds a blank"));
    token.map(Some).or_exit(Exit::Usage)
}
