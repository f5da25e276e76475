use std::time::Duration;

use transport::Route;
use wire::{Event, Job, JobId, JobStatus};

use crate::chronicle::Chronicle;
use crate::client::Client;
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
        let (mut chronicle, mut status, mut silent) = (Chronicle::default(), None, Duration::ZERO);
        loop {
            match self.glance(job, &mut chronicle, &mut status, tell).await {
                Ok(job) if job.status.is_terminal() => return Ok(job),
                Ok(_) => silent = Duration::ZERO,
                Err(error) if error.is_transient() && silent < self.timing.patience => {
                    tell(Update::OutOfSight(&error));
                    silent += self.timing.poll;
                }
                Err(source) => return Err(Error::Lost { job: job.clone(), source }),
            }
            self.sleep(self.timing.poll).await;
        }
    }

    /// Looks at the job first and at its events then, so that an end is told with all that led to it.
    async fn glance(
        &self,
        job: &JobId,
        chronicle: &mut Chronicle,
        status: &mut Option<JobStatus>,
        tell: &mut impl FnMut(Update<'_>),
    ) -> Result<Job, transport::Error> {
        let seen = self.look(job).await?;
        let route = Route::new(["fine_tuning", "jobs", job.as_str(), "events"])?;
        let enough = |page: &[Event]| page.iter().all(|event| chronicle.knows(event));
        let listed =
            pages::until(&self.transport, &route, 100, |event: &Event| event.id.clone(), enough)
                .await;
        let listed = match listed {
            // Some services have no events; the job itself was found.
            Err(error) if matches!(error.status(), Some(404 | 405 | 501)) => Vec::new(),
            listed => listed?,
        };
        for event in &chronicle.news(listed) {
            tell(Update::Event(event));
        }
        if status.as_ref() != Some(&seen.status) {
            tell(Update::Status(&seen));
            *status = Some(seen.status.clone());
        }
        Ok(seen)
    }
}
