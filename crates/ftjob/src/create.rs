use transport::{Repeat, Route};
use wire::Job;

use crate::client::Client;
use crate::error::Error;
use crate::journal::{Journal, Step, Unrecorded, note, refused};
use crate::key::{Match, RunKey};
use crate::pages;
use crate::spec::JobSpec;

/// How often a job is asked for at most, when each time no answer came and no job was found.
const REQUESTS: u32 = 3;

/// How many jobs to ask for at once.
const PAGE: usize = 100;
/// How many jobs that a service says are marked to look at; nobody runs the same files and settings as often.
const MOST_MARKED: usize = 1000;
/// How many of the newest jobs to look at where the filter finds none; a job that was just made is among them.
const MOST_RECENT: usize = 200;

/// A job of this run.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
/// use ftjob::{JobSpec, Recipe, RunKey};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tiny = tiny().await?;
/// # let (client, file) = (&tiny.client, &tiny.file);
/// # let recipe = Recipe { epochs: Some(1), ..Recipe::new("tiny-llama") };
/// # let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
/// # let spec = JobSpec::new(recipe, client.upload(file).await?);
/// let first = client.create(&spec, &key).await?;
/// let again = client.create(&spec, &key).await?; // as after a crash that lost the answer
/// assert!(!first.adopted && again.adopted);
/// assert_eq!(again.job.id, first.job.id, "it is paid for once");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// The job.
    pub job: Job,
    /// Whether it was there already.
    pub adopted: bool,
}

/// When jobs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// At the start: this run's, also one that has come to its end, and running ones of the same files and settings.
    Start,
    /// After an unclear answer: this run's.
    Unclear,
}

impl Scope {
    /// Whether this run may have made a job already; then one without a mark that looks like it is taken for it.
    fn is_after_a_request(self, key: &RunKey) -> bool {
        self == Self::Unclear || key.is_resumed()
    }
}

impl Client {
    /// Creates the job, or adopts it: this run's, or one of the same files and settings that still runs.
    ///
    /// The request is never simply sent again. After an answer that leaves open whether the job was made it is looked
    /// for, several times over some seconds, by the key in its metadata, or by its files and settings where a service
    /// drops metadata; only when it is not found is it asked for once more.
    ///
    /// # Errors
    ///
    /// [`Error::Create`] where the service refuses, [`Error::Unclear`] where it may have made the job and does not answer
    /// when it is looked for; another call with the same `key` finds it.
    pub async fn create(&self, spec: &JobSpec, key: &RunKey) -> Result<Created, Error> {
        self.create_noted(spec, key, &mut Unrecorded).await
    }

    /// [`create`](Self::create), with what is about to be asked for and what was answered noted in `journal` first.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
    /// use std::io;
    ///
    /// use ftjob::{Error, Journal, JobSpec, Recipe, RunKey, Step};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tiny = tiny().await?;
    /// # let (client, file) = (&tiny.client, &tiny.file);
    /// struct FullDisk;
    /// impl Journal for FullDisk {
    ///     fn intend(&mut self, _: Step<'_>) -> io::Result<()> {
    ///         Err(io::ErrorKind::StorageFull.into())
    ///     }
    ///     fn answered(&mut self, _: Step<'_>, _: &str) -> io::Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # let recipe = Recipe { epochs: Some(1), ..Recipe::new("tiny-llama") };
    /// # let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
    /// # let spec = JobSpec::new(recipe, client.upload(file).await?);
    /// let created = client.create_noted(&spec, &key, &mut FullDisk).await;
    /// assert!(matches!(created, Err(Error::Record(_))));
    /// assert_eq!(client.adopt(&spec, &key).await?, None, "what cannot be noted is not asked for");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create), and [`Error::Record`] where it cannot be noted; then no job was asked for.
    pub async fn create_noted(
        &self,
        spec: &JobSpec,
        key: &RunKey,
        journal: &mut impl Journal,
    ) -> Result<Created, Error> {
        if let Some(job) = self.find(spec, key, Scope::Start).await.map_err(Error::Create)? {
            return Ok(Created { job, adopted: true });
        }
        if key.is_resumed()
            && journal.is_open(Step::Create)
            && let Some(job) = self.search(spec, key).await?
        {
            return Ok(Created { job, adopted: true });
        }
        let route =
            Route::new(["fine_tuning", "jobs"]).map_err(|error| Error::Create(error.into()))?;
        let request = self.dialect.request(spec.request(key));
        for attempt in 1..=REQUESTS {
            journal.intend(Step::Create).map_err(Error::Record)?;
            let answer = self.transport.post_unread(&route, &request, Repeat::Unprocessed).await;
            let job = answer.and_then(|answer| {
                note(journal, Step::Create, &answer);
                answer.read::<Job>()
            });
            let error = match job {
                Ok(job) => return Ok(Created { job: self.renamed(job), adopted: false }),
                Err(error) if !error.is_ambiguous() => {
                    refused(journal, Step::Create);
                    return Err(Error::Create(error));
                }
                Err(error) => error,
            };
            tracing::warn!(attempt, "creating the job had no clear answer; looking for it");
            if let Some(job) = self.search(spec, key).await? {
                return Ok(Created { job, adopted: true });
            }
            if attempt == REQUESTS {
                return Err(Error::Create(error));
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Looks for this run's job without creating one, as after a crash.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
    /// use ftjob::{JobSpec, Recipe, RunKey};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tiny = tiny().await?;
    /// # let (client, file) = (&tiny.client, &tiny.file);
    /// # let recipe = Recipe { epochs: Some(1), ..Recipe::new("tiny-llama") };
    /// # let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
    /// # let spec = JobSpec::new(recipe, client.upload(file).await?);
    /// assert_eq!(client.adopt(&spec, &key).await?, None);
    /// let created = client.create(&spec, &key).await?;
    /// let found = client.adopt(&spec, &key).await?.ok_or("it was created")?;
    /// assert_eq!(found.id, created.job.id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Service`].
    pub async fn adopt(&self, spec: &JobSpec, key: &RunKey) -> Result<Option<Job>, Error> {
        self.find(spec, key, Scope::Start).await.map_err(Error::Service)
    }

    fn renamed(&self, mut job: Job) -> Job {
        job.status = self.dialect.status(job.status);
        job
    }

    async fn search(&self, spec: &JobSpec, key: &RunKey) -> Result<Option<Job>, Error> {
        for wait in &self.timing.looks {
            self.sleep(*wait).await;
            if let Some(job) = self.find(spec, key, Scope::Unclear).await.map_err(Error::Unclear)? {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    async fn find(
        &self,
        spec: &JobSpec,
        key: &RunKey,
        scope: Scope,
    ) -> Result<Option<Job>, transport::Error> {
        let (name, value) = key.query();
        let jobs = Route::new(["fine_tuning", "jobs"])?;
        let marked = match self.list(&jobs.clone().with(&name, value), MOST_MARKED).await {
            Err(error) if matches!(error.status(), Some(400 | 404 | 405 | 422 | 501)) => Vec::new(),
            listed => listed?,
        };
        if let Some(job) = choose(marked, spec, key, scope) {
            return Ok(Some(job));
        }
        // A service may not know the filter, or not keep the marks.
        let recent = match self.list(&jobs, MOST_RECENT).await {
            // One that does not list jobs at all can still make one, as long as none may be there already.
            Err(error)
                if !scope.is_after_a_request(key)
                    && matches!(error.status(), Some(404 | 405 | 501)) =>
            {
                Vec::new()
            }
            listed => listed?,
        };
        Ok(choose(recent, spec, key, scope))
    }

    /// The newest jobs, at most about `most`.
    async fn list(&self, route: &Route, most: usize) -> Result<Vec<Job>, transport::Error> {
        let mut count = 0;
        let enough = |page: &[Job]| {
            count += page.len();
            count >= most
        };
        let listed =
            pages::until(&self.transport, route, PAGE, |job: &Job| job.id.to_string(), enough);
        Ok(listed.await?.into_iter().map(|job| self.renamed(job)).collect())
    }
}

fn choose(jobs: Vec<Job>, spec: &JobSpec, key: &RunKey, scope: Scope) -> Option<Job> {
    let rank = |job: &Job| match key.compare(job) {
        Match::This => Some(0),
        Match::Same if scope == Scope::Start && !job.status.is_terminal() => Some(1),
        Match::Unmarked
            if scope.is_after_a_request(key)
                && !job.status.is_terminal()
                && spec.resembles(job) =>
        {
            Some(2)
        }
        _ => None,
    };
    // The list is newest first, and the first of the best rank is taken.
    jobs.into_iter()
        .filter_map(|job| rank(&job).map(|rank| (rank, job)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, job)| job)
}
