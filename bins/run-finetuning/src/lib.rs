//! Upload, create, follow the job, save the model's id.
