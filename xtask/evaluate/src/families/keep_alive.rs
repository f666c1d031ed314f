//! A client's pool, request by request.

use crate::{
    number::{real, whole},
    scene::Scene,
    world::NEVER,
};

use super::parts::Span;

/// How a pool decides.
#[derive(Clone, Copy)]
pub(super) struct KeepAlive {
    /// It opens so many at most; what comes then fails.
    pub most: usize,
    /// So many stay when nobody needs them.
    pub kept: usize,
    /// So long.
    pub idle: f64,
    /// None is given out that is older.
    pub life: f64,
    /// None is given out more often.
    pub requests: usize,
    /// The one that came back last is the first to go out.
    pub newest: bool,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub opened: f64,
    /// The end of the last request, or its start if it never ended.
    pub used: f64,
    pub closed: f64,
    /// How many requests it carried.
    pub requests: usize,
    /// It was given out and never given back.
    pub lost: bool,
}

impl KeepAlive {
    /// Without bounds, the newest first.
    pub(super) const ANY: Self = Self {
        most: usize::MAX,
        kept: usize::MAX,
        idle: NEVER,
        life: NEVER,
        requests: usize::MAX,
        newest: true,
    };

    /// Serves requests that begin at these times, in order, and last so long; [`NEVER`] is a lost lease.
    pub(super) fn serve(&self, requests: &[Span]) -> Vec<Kept> {
        let mut done = Vec::new();
        let mut busy: Vec<Kept> = Vec::new();
        let mut idle: Vec<Kept> = Vec::new();
        for (at, lasts) in requests {
            self.give_back(*at, &mut busy, &mut idle, &mut done);
            idle.retain(|kept| {
                let kept = self.evicted(kept);
                let stays = kept.closed > *at;
                if !stays {
                    done.push(kept);
                }
                stays
            });
            let next = if self.newest || idle.is_empty() {
                idle.pop()
            } else {
                Some(idle.remove(0))
            };
            let Some(mut next) = next.or_else(|| (busy.len() < self.most).then(|| Kept::new(*at))) else {
                continue;
            };
            next.requests += 1;
            next.lost = lasts.is_infinite();
            next.used = if next.lost { *at } else { at + lasts };
            busy.push(next);
        }
        let (lost, back): (Vec<Kept>, Vec<Kept>) = busy.into_iter().partition(|kept| kept.lost);
        done.extend(lost);
        done.extend(back.iter().chain(&idle).map(|kept| self.evicted(kept)));
        done
    }

    /// Takes back what is not needed any more.
    fn give_back(&self, at: f64, busy: &mut Vec<Kept>, idle: &mut Vec<Kept>, done: &mut Vec<Kept>) {
        let (mut back, still): (Vec<Kept>, Vec<Kept>) =
            busy.drain(..).partition(|kept| !kept.lost && kept.used <= at);
        busy.extend(still);
        back.sort_by(|a, b| a.used.total_cmp(&b.used));
        for kept in back {
            if idle.len() < self.kept && kept.requests < self.requests {
                idle.push(kept);
            } else {
                done.push(Kept {
                    closed: kept.used,
                    ..kept
                });
            }
        }
    }

    /// The same with the moment when it closes if nobody needs it before.
    fn evicted(&self, kept: &Kept) -> Kept {
        let closed = (kept.used + self.idle).min(kept.used.max(kept.opened + self.life));
        Kept { closed, ..*kept }
    }
}

impl Kept {
    const fn new(opened: f64) -> Self {
        Self {
            opened,
            used: opened,
            closed: NEVER,
            requests: 0,
            lost: false,
        }
    }
}

/// Those connections. Each carries data until it is used for the last time, or every now and then if its last silence
/// is no longer than the others. The peers get numbers from the first.
pub(super) fn keep(s: &mut Scene, kept: &[Kept], peer: usize, program: usize) {
    let horizon = s.horizon();
    for one in kept {
        let pause = (one.used - one.opened) / real(one.requests);
        let batch = s
            .open([one.opened])
            .close(|_| one.closed)
            .with(|| peer)
            .of(|| program);
        if one.requests > 3 && pause > one.closed.min(horizon) - one.used {
            batch.every(pause);
        } else {
            batch.used(|| one.used - one.opened);
        }
    }
}

/// One of so many, the first ones being the most popular (Zipf's law, by its continuous counterpart).
pub(super) fn popular(unit: f64, count: usize) -> usize {
    whole(real(count).powf(unit)).clamp(1, count) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(times: &[f64], lasts: f64) -> Vec<Span> {
        times.iter().map(|at| (*at, lasts)).collect()
    }

    #[test]
    fn what_comes_back_is_used_again_until_it_is_idle_for_too_long() {
        let pool = KeepAlive {
            idle: 90.0,
            ..KeepAlive::ANY
        };
        let kept = pool.serve(&at(&[0.0, 50.0, 100.0, 300.0], 1.0));
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert_eq!((kept[0].requests, kept[0].closed), (3, 191.0), "{kept:?}");
        assert_eq!((kept[1].requests, kept[1].closed), (1, 391.0), "{kept:?}");
    }

    #[test]
    fn a_pool_has_bounds() {
        let burst = at(&[0.0; 10], 5.0);
        assert_eq!(KeepAlive::ANY.serve(&burst).len(), 10);
        let pool = KeepAlive {
            most: 4,
            kept: 2,
            ..KeepAlive::ANY
        };
        let later = [burst, at(&[10.0], 5.0)].concat();
        let kept = pool.serve(&later);
        assert_eq!(kept.len(), 4, "{kept:?}");
        assert_eq!(
            kept.iter().filter(|kept| kept.closed < 6.0).count(),
            2,
            "{kept:?}"
        );
    }

    #[test]
    fn a_lost_lease_never_closes_whatever_the_maximum_lifetime() {
        let pool = KeepAlive {
            life: 60.0,
            idle: 30.0,
            ..KeepAlive::ANY
        };
        let kept = pool.serve(&[(0.0, 1.0), (5.0, NEVER), (10.0, 1.0)]);
        let lost: Vec<&Kept> = kept.iter().filter(|kept| kept.lost).collect();
        assert_eq!(lost.len(), 1, "{kept:?}");
        assert_eq!((lost[0].used, lost[0].closed), (5.0, NEVER));
        assert!(kept[1].closed > 40.9 && kept[1].closed < 41.1, "{kept:?}");
    }
}
