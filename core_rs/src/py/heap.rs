//! The memory of the process, which allocators keep for later.

use pyo3::prelude::*;

/// Gives back to the system what the allocator of C keeps free; whether there was any. Only glibc's does.
#[pyfunction]
pub(super) fn give_back(py: Python<'_>) -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: it takes the locks it needs, and touches nothing that is in use.
        py.detach(|| unsafe { libc::malloc_trim(0) } == 1)
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let _ = py;
        false
    }
}
