//! The time as a value that is handed in, so that nothing in the core reads a clock by itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A time that never goes back, measured from the clock's own beginning.
pub trait Clock: Send + Sync {
    /// How long this clock has run.
    fn now(&self) -> Duration;
}

/// The machine's monotonic clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock of the machine's own: monotonic from the machine's beginning, or the time of day since 1970; all its processes read
/// the same time.
#[derive(Debug, Clone)]
pub struct MachineClock(libc::clockid_t);

impl MachineClock {
    /// One that is exact.
    pub fn precise() -> Self {
        Self(libc::CLOCK_MONOTONIC)
    }

    /// One that tells the time of the last tick, some milliseconds ago at most, for a third of the cost; where there is none,
    /// it is exact.
    pub fn coarse() -> Self {
        #[cfg(target_os = "linux")]
        return Self(libc::CLOCK_MONOTONIC_COARSE);
        #[cfg(not(target_os = "linux"))]
        Self::precise()
    }
}

impl MachineClock {
    /// The time of day, as of the last tick where that is told; it goes on while the machine is off, and back when somebody
    /// sets it so.
    pub fn wall() -> Self {
        #[cfg(target_os = "linux")]
        return Self(libc::CLOCK_REALTIME_COARSE);
        #[cfg(not(target_os = "linux"))]
        Self(libc::CLOCK_REALTIME)
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is writable and lives through the call, which touches nothing else.
        let failed = unsafe { libc::clock_gettime(self.0, &raw mut time) };
        assert_eq!(failed, 0, "every machine has these clocks");
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// A clock that stands still until it is moved; any thread may move it.
#[derive(Debug, Default)]
pub struct FakeClock {
    nanos: AtomicU64,
}

impl FakeClock {
    /// A clock at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the time forward; it stops at 2^64 nanoseconds (584 years) rather than wrap.
    pub fn advance(&self, step: Duration) {
        let step = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
        let moved = |now: u64| Some(now.saturating_add(step));
        let _ = self.nanos.fetch_update(Ordering::AcqRel, Ordering::Acquire, moved);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_never_goes_back() {
        let clock = SystemClock::new();
        let times: Vec<_> = (0..1000).map(|_| clock.now()).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn the_coarse_clock_is_late_by_a_tick_at_most() {
        let before = MachineClock::coarse().now();
        let precise = MachineClock::precise().now();
        assert!(before <= precise && precise.saturating_sub(MachineClock::coarse().now()) < Duration::from_millis(20));
    }

    #[test]
    fn a_fake_clock_moves_only_when_told() {
        let clock = FakeClock::new();
        assert_eq!(clock.now(), Duration::ZERO);
        clock.advance(Duration::from_millis(1500));
        clock.advance(Duration::from_nanos(1));
        assert_eq!(clock.now(), Duration::from_nanos(1_500_000_001));
    }

    #[test]
    fn a_fake_clock_stops_at_its_end() {
        let clock = FakeClock::new();
        clock.advance(Duration::MAX);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn steps_of_many_threads_all_count() {
        let clock = FakeClock::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| clock.advance(Duration::from_nanos(1))));
            }
        });
        assert_eq!(clock.now(), Duration::from_nanos(4000));
    }
}
