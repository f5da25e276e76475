use std::time::Duration;

use transport::Route;
use wire::{Event, Job, JobId, JobStatus};

use crate::chronicle::Chronicle;
use crate::client::{Client, Timing};
use crate::error::Error;
use crate::pages;

/// What is told of a job while it is followed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Update<'a> {
    /// The job stands elsewhere than before.
    Status(&'a Job),
    /// Something happened.
    Event(&'a Event),
    /// The service did not answer; it is asked again.
    OutOfSight(&'a transport::Error),
}

impl Client {
    /// Follows a job to its end and tells what happens: each event once, oldest first.
    ///
    /// A service that does not answer is asked again until [`Timing::patience`](crate::Timing) is used up. Dropping the
    /// future leaves the job alone.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] where the service refuses or stays silent; the job goes on.
    pub async fn follow(
        &self,
        job: &JobId,
        tell: &mut impl FnMut(Update<'_>),
    ) -> Result<Job, Error> {
        self.follow_on(job, Vec::new(), tell).await
    }

    /// [`follow`](Self::follow) of a job of which the events with the ids `told` were told before, as after a crash.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
    /// use ftjob::{JobSpec, Recipe, RunKey, Update};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tiny = tiny().await?;
    /// # let (client, file) = (&tiny.client, &tiny.file);
    /// # let recipe = Recipe { epochs: Some(1), ..Recipe::new("tiny-llama") };
    /// # let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
    /// # let spec = JobSpec::new(recipe, client.upload(file).await?);
    /// let job = client.create(&spec, &key).await?.job.id;
    /// let mut told = Vec::new();
    /// client.follow(&job, &mut |update| {
    ///     if let Update::Event(event) = update { told.push(event.id.clone()) }
    /// }).await?;
    /// let mut news = 0;
    /// let end = client.follow_on(&job, told, &mut |update| {
    ///     if let Update::Event(_) = update { news += 1 }
    /// }).await?;
    /// assert!(end.status.is_terminal());
    /// assert_eq!(news, 0, "no event is told twice");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`follow`](Self::follow).
    pub async fn follow_on(
        &self,
        job: &JobId,
        told: Vec<String>,
        tell: &mut impl FnMut(Update<'_>),
    ) -> Result<Job, Error> {
        let mut sight = Sight { chronicle: Chronicle::of(told), status: None, news: false };
        let (mut poll, mut silent) = (self.timing.poll, Duration::ZERO);
        loop {
            match self.glance(job, &mut sight, tell).await {
                Ok(job) if job.status.is_terminal() => return Ok(job),
                Ok(_) => silent = Duration::ZERO,
                Err(error) if error.is_transient() && silent < self.timing.patience => {
                    tell(Update::OutOfSight(&error));
                    silent += poll;
                }
                Err(source) => return Err(Error::Lost { job: job.clone(), source }),
            }
            poll = self.timing.next_poll(poll, std::mem::take(&mut sight.news));
            self.sleep(poll).await;
        }
    }

    /// Looks at the job first and at its events then, so that an end is told with all that led to it.
    async fn glance(
        &self,
        job: &JobId,
        sight: &mut Sight,
        tell: &mut impl FnMut(Update<'_>),
    ) -> Result<Job, transport::Error> {
        let seen = self.look(job).await?;
        let route = Route::new(["fine_tuning", "jobs", job.as_str(), "events"])?;
        let chronicle = &mut sight.chronicle;
        let enough = |page: &[Event]| page.iter().all(|event| chronicle.knows(event));
        let listed =
            pages::until(&self.transport, &route, 100, |event: &Event| event.id.clone(), enough)
                .await;
        let listed = match listed {
            // Some services have no events; the job itself was found.
            Err(error) if matches!(error.status(), Some(404 | 405 | 501)) => Vec::new(),
            listed => listed?,
        };
        for event in &self.news(chronicle, listed) {
            sight.news = true;
            tell(Update::Event(event));
        }
        if sight.status.as_ref() != Some(&seen.status) {
            sight.news = true;
            tell(Update::Status(&seen));
            sight.status = Some(seen.status.clone());
        }
        Ok(seen)
    }
}

/// What was seen of a job so far.
#[derive(Debug)]
struct Sight {
    chronicle: Chronicle,
    status: Option<JobStatus>,
    /// Whether the last look showed something new.
    news: bool,
}

impl Timing {
    /// How long to wait after a wait of `poll`: the shortest time after news, half as much again without.
    fn next_poll(&self, poll: Duration, news: bool) -> Duration {
        if news { self.poll } else { poll.mul_f64(1.5).min(self.longest_poll).max(self.poll) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_news_a_job_is_looked_at_less_and_less_often_up_to_a_limit() {
        let timing = Timing {
            poll: Duration::from_secs(10),
            longest_poll: Duration::from_secs(30),
            ..Timing::default()
        };
        let mut poll = timing.poll;
        let waits: Vec<u64> = [false, false, false, false, true, false]
            .into_iter()
            .map(|news| {
                poll = timing.next_poll(poll, news);
                poll.as_secs()
            })
            .collect();
        assert_eq!(waits, [15, 22, 30, 30, 10, 15]);
        let fast = Timing { longest_poll: Duration::from_secs(1), ..timing };
        assert_eq!(fast.next_poll(fast.poll, false), fast.poll);
    }
}
