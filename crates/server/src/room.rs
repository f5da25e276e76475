//! Whether something failed because the disk is full, which is nobody's fault and passes.

use std::error::Error;
use std::io::{self, ErrorKind};

/// Whether `error`, or what it comes from, says that there is no room left.
pub(crate) fn is_used_up(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<io::Error>()
            && matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        {
            return true;
        }
        if let Some(rusqlite::Error::SqliteFailure(cause, _)) = cause.downcast_ref()
            && cause.code == rusqlite::ErrorCode::DiskFull
        {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_full_disk_is_told_from_other_failures_wherever_it_shows() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        assert!(is_used_up(&full()));
        assert!(is_used_up(&StoreError::from(full())));
        assert!(is_used_up(&engine::Error::File { path: "x".into(), source: full() }));
        let database = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(13), None);
        assert!(is_used_up(&StoreError::from(database)));
        assert!(!is_used_up(&io::Error::from(ErrorKind::PermissionDenied)));
        assert!(!is_used_up(&StoreError::from(rusqlite::Error::QueryReturnedNoRows)));
    }
}
