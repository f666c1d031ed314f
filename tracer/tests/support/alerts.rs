//! Alerts with values at the edges of what their types hold.

use tracer::output::record::{
    AgeQuantiles, Alert, AlertStatus, Basis, Body, Cadence, Class, Confidence, Descriptors, Direction,
    Explanation, Forecast, Healthy, HeldGroup, Holding, Interval, Limit, News, Opener, PhaseName, Phases,
    Ports, Process, Resolution, Resource, RuledOut, Sample, Scope, Severity, Silence, Survivors, Tier,
    code::{Code, Culprit, Cut, Frame, Reason, Stack, Unknown},
};

/// Of each type and scope some with everything and some with as little as there can be.
pub fn extremes(confidence: &dyn Fn() -> Confidence) -> Vec<Body> {
    let scopes = [
        group(),
        processes(true),
        processes(false),
        peer(true),
        peer(false),
    ];
    let mut bodies: Vec<Body> = scopes
        .into_iter()
        .flat_map(|scope| {
            [true, false].map(|full| Body::Alert(Box::new(alert(scope.clone(), full, confidence()))))
        })
        .collect();
    bodies.extend([true, false].map(|full| Body::Limit(limit(full, confidence()))));
    bodies
}

fn process(pid: Option<u32>) -> Process {
    Process {
        pid,
        start_ns: u64::MAX.to_string(),
        comm: "\u{202e}\n\"\\\u{1b}\u{0}\u{fffd}".to_owned(),
        args: vec![String::new(), "\u{1b}".to_owned()],
        unit: Some(String::new()),
        container: Some("\u{202e}".to_owned()),
        inner_pid: Some(u32::MAX),
    }
}

fn held() -> HeldGroup {
    HeldGroup {
        direction: Direction::Outbound,
        peer: "other".to_owned(),
        service_port: 0,
        open: u32::MAX,
    }
}

fn group() -> Scope {
    Scope::Group {
        direction: Direction::Inbound,
        peer: "other".to_owned(),
        service_port: u16::MAX,
    }
}

fn processes(full: bool) -> Scope {
    Scope::Process {
        direction: Direction::Outbound,
        peers: u32::MAX,
        most: if full { vec![held()] } else { Vec::new() },
    }
}

fn peer(full: bool) -> Scope {
    let holding = Holding {
        process: process(None),
        open: u32::MAX,
    };
    Scope::Peer {
        direction: Direction::Inbound,
        peer: "::".to_owned(),
        processes: u32::MAX,
        service_ports: u32::MAX,
        most: if full { vec![holding] } else { Vec::new() },
    }
}

fn descriptors(full: bool) -> Descriptors {
    Descriptors {
        used: u32::MAX,
        sockets: 0,
        limit: full.then_some(u64::MAX),
        lasts_seconds: full.then_some(f64::MAX),
    }
}

fn sample(full: bool) -> Sample {
    Sample {
        pid: full.then_some(u32::MAX),
        local: "[::]:65535".to_owned(),
        peer: "0.0.0.0:0".to_owned(),
        age_seconds: f64::MAX,
        at_least: full,
        phase: PhaseName::DeadHeld,
        silent_seconds: full.then_some(0.0),
    }
}

fn explanations() -> Vec<Explanation> {
    let after_seconds = f64::MAX;
    let why = [
        RuledOut::StillGrowing { after_seconds },
        RuledOut::Unused,
        RuledOut::Useless,
        RuledOut::Beat,
        RuledOut::LongerThanADay,
        RuledOut::ShareOfLimit { percent: u8::MAX },
        RuledOut::Again,
        RuledOut::TooFast,
    ];
    let ruled_out = why.map(|why| Explanation {
        healthy: Healthy::Pool,
        ruled_out: Some(why),
    });
    let left = [Healthy::WarmUp, Healthy::Diurnal].map(|healthy| Explanation {
        healthy,
        ruled_out: None,
    });
    ruled_out.into_iter().chain(left).collect()
}

fn evidence_of_growth() -> (Interval, Forecast) {
    let rate = Interval {
        low: 0.0,
        mid: f64::MIN_POSITIVE,
        high: f64::MAX,
    };
    let forecast = Forecast {
        resource: Resource::Ports,
        used: u32::MAX,
        limit: u64::MAX,
        expected_seconds: 0.0,
        earliest_seconds: f64::MAX,
        latest_seconds: None,
        uneven: true,
    };
    (rate, forecast)
}

fn code() -> Code {
    let hostile = || Some("\u{202e}\n\u{1b}[2J;".to_owned());
    let frame = |whole: bool| Frame {
        function: hostile().filter(|_| whole),
        file: hostile().filter(|_| whole),
        line: whole.then_some(u32::MAX),
        module: hostile().filter(|_| !whole),
        offset: (!whole).then_some(u64::MAX),
        build_id: Some("00ff".to_owned()).filter(|_| !whole),
        inlined: whole,
        library: !whole,
    };
    let stack = |cut| Stack {
        connections: u32::MAX,
        frames: vec![frame(true), frame(false)],
        cut,
    };
    let reasons = [
        Reason::NotAsked,
        Reason::NoUserStack,
        Reason::TableFull,
        Reason::RingFull,
        Reason::Older,
        Reason::Lost,
        Reason::NotLookedUp,
    ];
    Code {
        open: u32::MAX,
        culprit: Some(Culprit {
            connections: 0,
            frame: frame(true),
        }),
        stacks: [
            None,
            Some(Cut::NoFramePointer),
            Some(Cut::Deep),
            Some(Cut::Strange),
        ]
        .map(stack)
        .into(),
        elsewhere: u32::MAX,
        unknown: reasons
            .map(|reason| Unknown {
                reason,
                connections: 1,
            })
            .into(),
    }
}

fn alert(scope: Scope, full: bool, confidence: Confidence) -> Alert {
    let (rate, forecast) = evidence_of_growth();
    let opener = Opener {
        process: process(Some(1)),
        connections: u32::MAX,
    };
    let seconds = f64::MAX;
    let news = [News::Confirmed, News::Critical, News::Doubled, News::Restarted];
    Alert {
        id: String::new(),
        status: if full {
            AlertStatus::Resolved
        } else {
            AlertStatus::Opened
        },
        news: if full { news.to_vec() } else { Vec::new() },
        tier: if full { Tier::Confirmed } else { Tier::Suspected },
        severity: if full {
            Severity::Critical
        } else {
            Severity::Warning
        },
        class: if full {
            Class::ErrorsIgnored
        } else {
            Class::BlackHole
        },
        scope,
        process: process(full.then_some(0)),
        openers: if full { vec![opener.clone()] } else { Vec::new() },
        other_ends: if full { vec![opener] } else { Vec::new() },
        code: full.then(code),
        descriptors: full.then(|| descriptors(full)),
        ports: full.then_some(Ports {
            used: 0,
            available: u32::MAX,
            lasts_seconds: Some(f64::MAX),
        }),
        netns: full.then_some(u32::MAX),
        open: u32::MAX,
        peak: u32::MAX,
        phases: Phases {
            open: u32::MAX,
            half_closed_remote: 0,
            half_closed_local: 1,
            dead_held: u32::MAX,
        },
        lives: u32::MAX,
        since: "9999-12-31T23:59:59.000Z".to_owned(),
        basis: if full { Basis::Sawtooth } else { Basis::Unanswered },
        times: full.then_some(u32::MAX),
        span_seconds: f64::MIN_POSITIVE,
        opened: u64::MAX,
        closed: u64::MAX,
        closed_ever: u64::MAX,
        known_seconds: f64::MAX,
        survivors: full.then(|| Survivors {
            period_seconds: seconds,
            open: vec![u32::MAX; 16],
            matured: u64::MAX,
            left: u64::MAX,
        }),
        growth_per_hour: full.then_some(rate),
        cadence: full.then_some(Cadence {
            burst: u32::MAX,
            every_seconds: seconds,
            bursts: u32::MAX,
        }),
        silence: full.then_some(Silence {
            silent: u32::MAX,
            of: u32::MAX,
            span_seconds: seconds,
        }),
        open_age: full.then_some(AgeQuantiles {
            at_least: true,
            oldest: seconds,
            median: seconds,
            p90: seconds,
        }),
        forecast: full.then_some(forecast),
        samples: vec![sample(true), sample(false)],
        explanations: explanations(),
        resolution: full.then_some(Resolution::Balanced),
        confidence,
        meaning: "\u{7f}".to_owned(),
        advice: String::new(),
    }
}

fn limit(full: bool, confidence: Confidence) -> Limit {
    Limit {
        id: String::new(),
        status: if full {
            AlertStatus::Resolved
        } else {
            AlertStatus::Updated
        },
        process: process(full.then_some(u32::MAX)),
        descriptors: descriptors(full),
        peak: u32::MAX,
        held: if full { vec![held()] } else { Vec::new() },
        since: "1970-01-01T00:00:00.000Z".to_owned(),
        resolution: full.then_some(Resolution::Relieved),
        confidence,
        meaning: String::new(),
        advice: String::new(),
    }
}
