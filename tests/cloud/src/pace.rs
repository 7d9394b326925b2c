//! Round trips of a chosen length, for measurements.
//!
//! An answer leaves when its time has come, the time it took to make included. The alarm is a
//! thread of its own: a runtime's timer rounds up to whole milliseconds.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::journal::Service;

type Alarm = (Instant, oneshot::Sender<()>);

/// How long round trips take, and how well that was kept.
pub(crate) struct Pace {
    round_trips: Mutex<HashMap<Service, Duration>>,
    lateness: Mutex<Vec<Duration>>,
    alarms: Mutex<Option<Sender<Alarm>>>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            round_trips: Mutex::default(),
            lateness: Mutex::default(),
            alarms: Mutex::default(),
        }
    }

    pub(crate) fn set(&self, service: Service, round_trip: Duration) {
        lock(&self.round_trips).insert(service, round_trip);
    }

    /// When the answer to a request that has just arrived is due; none where no pace is set.
    pub(crate) fn due(&self, service: Service) -> Option<Instant> {
        let round_trip = lock(&self.round_trips).get(&service).copied()?;
        Some(Instant::now() + round_trip)
    }

    /// Waits until then, and notes how much later it has become.
    pub(crate) async fn keep(&self, due: Option<Instant>) {
        let Some(due) = due else { return };
        if due > Instant::now() {
            let (bell, rings) = oneshot::channel();
            let _ = self.alarm().send((due, bell));
            let _ = rings.await;
        }
        lock(&self.lateness).push(Instant::now().saturating_duration_since(due));
    }

    /// How late each paced answer was since this was last asked.
    pub(crate) fn take_lateness(&self) -> Vec<Duration> {
        std::mem::take(&mut *lock(&self.lateness))
    }

    fn alarm(&self) -> Sender<Alarm> {
        let start = || {
            let (sender, receiver) = channel();
            std::thread::spawn(move || ring(&receiver));
            sender
        };
        lock(&self.alarms).get_or_insert_with(start).clone()
    }
}

/// Rings every alarm at its time, until nobody can set one any more.
fn ring(alarms: &Receiver<Alarm>) {
    let mut waiting: BTreeMap<(Instant, u64), oneshot::Sender<()>> = BTreeMap::new();
    let mut count = 0;
    loop {
        let now = Instant::now();
        while let Some(first) = waiting.first_entry()
            && first.key().0 <= now
        {
            let _ = first.remove().send(());
        }
        let next = match waiting.first_key_value() {
            Some(((due, _), _)) => alarms.recv_timeout(due.saturating_duration_since(now)),
            None => alarms.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok((due, bell)) => {
                count += 1;
                waiting.insert((due, count), bell);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
