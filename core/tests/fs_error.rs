//! Tests of `FsError` as an error: the text that it displays, and its use as a boxed `Error`.

use core::error::Error;

use sanserve_core::FsError;

#[test]
fn an_error_of_a_file_system_can_be_shown_and_boxed() {
    let error: Box<dyn Error + Send + Sync> = FsError::NoSpace.into();
    assert_eq!(error.to_string(), "no space left");
    assert!(error.source().is_none());
    assert_eq!(error.downcast_ref(), Some(&FsError::NoSpace));
}
