//! The command line and the environment, made one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use cli::{Environment, Exit, Failure, ResultExt as _};
use connect::BaseModel;
use server::{Launch, Token, Training};

use crate::arguments::{Arguments, Trainer};

/// Everything that decides what is served, where and to whom.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) address: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) token: Option<Token>,
    pub(crate) base_model: BaseModel,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) training: Training,
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
        let training = training(&arguments)?;
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
            allowed_origins: arguments
                .allow_origin
                .into_iter()
                .map(origin)
                .collect::<Result<_, _>>()?,
            training,
        })
    }
}

fn training(arguments: &Arguments) -> Result<Training, Failure> {
    if arguments.trainer == Trainer::Embedded {
        return Ok(Training::Embedded);
    }
    let command: Vec<String> = arguments.launch.split_whitespace().map(str::to_owned).collect();
    if command.is_empty() {
        return Err(Failure::new(Exit::Usage, anyhow!("`--launch` is empty")));
    }
    let is_folder = Path::new(&arguments.base_model).join("config.json").exists();
    if arguments.trainer_model.is_none() && !is_folder {
        let error =
            anyhow!("TRL cannot train `{}`: it is no folder of safetensors", arguments.base_model);
        let hint =
            "name the same weights as TRL loads them: --trainer-model FOLDER or a name of the hub";
        return Err(Failure::new(Exit::Usage, error).hint(hint));
    }
    // The trainer runs in a folder of its own choice.
    let model = match &arguments.trainer_model {
        Some(name) if Path::new(name).exists() => {
            Some(std::path::absolute(name)?.display().to_string())
        }
        Some(name) => Some(name.clone()),
        None => Some(std::path::absolute(&arguments.base_model)?.display().to_string()),
    };
    Ok(Training::Launched(Launch { command, model }))
}

fn token(text: Option<&str>) -> Result<Option<Token>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let token = Token::new(text).ok_or_else(|| anyhow!("the token is empty or holds a blank"));
    token.map(Some).or_exit(Exit::Usage)
}

/// A browser names an origin by scheme, host and port alone; anything else would never match.
fn origin(text: String) -> Result<String, Failure> {
    let at = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |at: &str| {
        !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_graphic() && !b"/*".contains(&byte))
    };
    if at.is_some_and(plain) {
        return Ok(text);
    }
    Err(Failure::new(Exit::Usage, anyhow!("`--allow-origin {text}` is no origin"))
        .hint("an origin is like https://page.example or http://localhost:3000"))
}
