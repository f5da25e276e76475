//! The dataset's file, fetched from the Hugging Face hub.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use hub::{Repository, Settings, Token};
use serde::Serialize;

use crate::summary::number;

/// Whether a dataset is fetched, and which.
#[derive(Debug, Args)]
pub(crate) struct DownloadArguments {
    /// Fetch the dataset's file from the Hugging Face hub first, to where the input is named.
    #[arg(long)]
    download: bool,
    /// The dataset on the hub.
    #[arg(
        long,
        value_name = "OWNER/NAME",
        default_value = "FreedomIntelligence/medical-o1-reasoning-SFT",
        requires = "download"
    )]
    dataset: String,
    /// The dataset's file, as JSON, JSON lines, CSV or Parquet.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "medical_o1_sft_mix.json",
        requires = "download"
    )]
    dataset_file: String,
    /// The dataset's branch, tag or commit.
    #[arg(long, value_name = "NAME", default_value = "main", requires = "download")]
    revision: String,
}

/// A download that is wanted.
#[derive(Debug)]
pub(crate) struct Download {
    file: hub::RemoteFile,
    settings: Settings,
}

/// Where an input was fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The dataset on the hub.
    pub dataset: String,
    /// Its file.
    pub file: String,
    /// The commit that the file is of.
    pub commit: String,
}

impl DownloadArguments {
    /// The file's name without its folders: where it goes when no input is named.
    pub(crate) fn file_name(&self) -> PathBuf {
        let name = self.dataset_file.rsplit('/').next().unwrap_or(&self.dataset_file);
        PathBuf::from(name)
    }

    /// The download, if one is wanted, by the variables `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE`.
    pub(crate) fn resolve(&self, environment: &Environment) -> Result<Option<Download>, Failure> {
        if !self.download {
            return Ok(None);
        }
        let repository =
            Repository::dataset(&self.dataset).context("--dataset").or_exit(Exit::Usage)?;
        let file = hub::RemoteFile {
            revision: self.revision.clone(),
            ..repository.file(&self.dataset_file)
        };
        let offline = environment.get("HF_HUB_OFFLINE");
        let settings = Settings {
            endpoint: environment.get("HF_ENDPOINT").map(str::to_owned),
            token: environment.get("HF_TOKEN").map(|token| Token::from(token.to_owned())),
            offline: offline.is_some_and(|value| value != "0" && value != "false"),
            ..Settings::default()
        };
        Ok(Some(Download { file, settings }))
    }
}

impl Download {
    /// Brings the file to `target`, unless it is there already.
    pub(crate) fn fetch(
        &self,
        target: &Path,
        terminal: &mut Terminal<'_>,
    ) -> Result<Origin, Failure> {
        let bar = cli::bytes_progress(terminal, 0);
        bar.set_message(self.file.name.clone());
        let fetched = hub::fetch(&self.file, target, &self.settings, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let fetched = fetched.map_err(failure)?;
        let dataset = self.file.repository.to_string();
        let origin = Origin { dataset, file: self.file.name.clone(), commit: fetched.commit };
        let had = match fetched.resumed {
            0 => String::new(),
            all if all == fetched.bytes => ", which was here".to_owned(),
            part => format!(", of which {} were here", number(part)),
        };
        // Whoever closed the stream does not want to know.
        let _ = writeln!(
            terminal.err,
            "{}: {} bytes of {} at {:.8}{had}",
            target.display(),
            number(fetched.bytes),
            origin.dataset,
            origin.commit,
        );
        Ok(origin)
    }
}

fn failure(error: hub::Error) -> Failure {
    use hub::Error;
    let hint = match &error {
        Error::Occupied { .. } => {
            return Failure::new(Exit::Failed, error)
                .hint("move it away, or name another place with --input");
        }
        Error::File { .. } | Error::Busy { .. } => return Failure::new(Exit::Failed, error),
        Error::Forbidden { .. } => "HF_TOKEN takes the token of somebody who may read it",
        Error::Missing { .. } => "--dataset, --dataset-file and --revision say which file is meant",
        Error::Offline => "without HF_HUB_OFFLINE it is asked",
        _ => "the same command again goes on where it broke off; HF_ENDPOINT names a mirror",
    };
    Failure::new(Exit::Service, error).hint(hint)
}
