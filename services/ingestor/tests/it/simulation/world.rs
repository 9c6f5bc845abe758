//! One run: a group of processes over a log and a database, a storm of faults, then calm in which everything has to settle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ingestor::games::FoldPolicy;
use tokio::time::{Instant, sleep};

use super::broker::{Change, Published};
use super::judge::Judge;
use super::oracle::Truth;
use super::process::Process;
use super::producer;
use super::random::{Dice, Random};
use super::server::{Faults, Server, StoreBug};
use super::trace::{self, Line, Trace};

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) failure: Option<String>,
    pub(crate) hash: u64,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) trace: Vec<Line>,
    pub(crate) log: Vec<String>,
}

/// Runs a seed, with a mistake in the store if one is asked for.
pub(crate) fn simulate(seed: u64, bug: Option<StoreBug>) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut random = Random::new(seed);
        let plan = Plan::draw(&mut random);
        let truths: Vec<Truth> = (0..plan.partitions)
            .map(|partition| {
                let first = random.pick(&[0, 0, 7]);
                Truth::of(producer::partition(&mut random, partition, first))
            })
            .collect();
        let log = words(&truths);
        let judge = Judge {
            truths,
            max_replay_offsets: plan.policy.max_replay_offsets,
        };
        let trace = Trace::begin();
        let server = Server::new(judge, Dice::new(random), trace.clone(), plan.faults, bug);
        let mut world = World {
            published: Published::nothing(plan.partitions),
            owners: vec![None; plan.partitions],
            processes: Vec::new(),
            started: 0,
            server,
            plan,
        };
        let failure = world.run().await.err();
        world.processes.iter().for_each(Process::kill);
        let counts = world.server.counts.clone();
        count_verdicts(&world.server.judge, &counts);
        let trace = trace.lines();
        Report {
            seed,
            failure,
            hash: trace::hash(&trace),
            counts: counts.all(),
            trace,
            log,
        }
    })
}

fn words(truths: &[Truth]) -> Vec<String> {
    let lines = truths.iter().enumerate().map(|(partition, truth)| {
        let entries = truth.entries.iter().zip(&truth.verdicts);
        let entries: Vec<String> = entries
            .map(|(entry, verdict)| format!("{} {verdict}", entry.words()))
            .collect();
        format!("partition {partition}: {}", entries.join(" | "))
    });
    lines.collect()
}

fn count_verdicts(judge: &Judge, counts: &super::counts::Counts) {
    for truth in &judge.truths {
        truth
            .verdicts
            .iter()
            .for_each(|verdict| counts.add(verdict));
        counts.add_many("records", truth.entries.len() as u64);
        counts.add_many("games finished", truth.finished.len() as u64);
    }
}

/// What a seed decides before anything happens.
#[derive(Debug)]
struct Plan {
    partitions: usize,
    policy: FoldPolicy,
    faults: Faults,
    largest_block: usize,
    members: usize,
    storms: usize,
    /// Puts the database back, in a hundred storms.
    put_back: u64,
    idle_limit: Duration,
}

impl Plan {
    fn draw(random: &mut Random) -> Self {
        let policy = FoldPolicy {
            batch_records: random.pick(&[1, 2, 5, 20, 1_000]),
            batch_bytes: random.pick(&[1, 2_000, 1 << 20, 1 << 20]),
            batch_linger: Duration::from_millis(random.pick(&[1, 20, 250, 1_500])),
            snapshot_plies: random.pick(&[1, 3, 10, 1_000]),
            snapshot_age: Duration::from_secs(random.pick(&[1, 10, 300])),
            max_replay_offsets: random.pick(&[1, 3, 6, 12, 30, 1_000]),
            idle_after: Duration::from_millis(random.pick(&[50, 500, 2_000, 10_000])),
            unreadable_run: random.pick(&[2, 4, 1_000, 1_000]),
            unreadable_run_bytes: random.pick(&[1, 1 << 20]),
        };
        let stormy = random.chance(70);
        let faults = Faults {
            rolled_back: if stormy {
                random.pick(&[0, 50, 150])
            } else {
                0
            },
            lost_reply: if stormy {
                random.pick(&[0, 50, 120])
            } else {
                0
            },
            session_lost: random.pick(&[0, 0, 3, 10]),
            delivered_again: random.pick(&[0, 5, 20]),
            slow_ms: random.pick(&[2, 30, 300, 2_500]),
        };
        Self {
            partitions: random.pick(&[1, 1, 2, 3]),
            policy,
            faults,
            largest_block: random.pick(&[1, 4, 12, 60]),
            members: random.pick(&[1, 2, 2, 3]),
            storms: 8 + random.below(30),
            put_back: random.pick(&[0, 0, 5, 15]),
            idle_limit: Duration::from_secs(random.pick(&[5, 30])),
        }
    }
}

struct World {
    plan: Plan,
    server: Server,
    published: Published,
    processes: Vec<Process>,
    /// Which process the group has given each partition to.
    owners: Vec<Option<i64>>,
    started: i64,
}

/// A database put back without its clients' sessions ending.
const HIDDEN: &str = "database put back, hidden";

type Step = Result<(), String>;

impl World {
    async fn run(&mut self) -> Step {
        for _ in 0..self.plan.members {
            self.start();
        }
        for partition in 0..self.plan.partitions {
            self.give_to_any(partition);
        }
        for _ in 0..self.plan.storms {
            let pause = self.roll(|random| {
                let most = random.pick(&[200, 1_000, 4_000]);
                random.ms(0, most)
            });
            sleep(pause).await;
            self.publish();
            self.server.look_around(self.plan.idle_limit);
            self.storm().await?;
            self.judge()?;
        }
        self.settle().await
    }

    fn roll<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        self.server.dice.roll(draw)
    }

    fn judge(&self) -> Step {
        match self.server.state().failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn start(&mut self) {
        self.started += 1;
        let process = Process::start(
            self.started,
            &self.server,
            &self.published,
            &self.plan.policy,
            self.plan.largest_block,
        );
        self.processes.push(process);
    }

    fn process(&self, id: i64) -> Option<&Process> {
        self.processes.iter().find(|process| process.id == id)
    }

    /// Publishes some of what is not published yet.
    fn publish(&self) {
        for (partition, truth) in self.server.judge.truths.iter().enumerate() {
            let left = truth.entries.len() - self.published.of(partition);
            let share = 1 + truth.entries.len() * 2 / self.plan.storms;
            let records = self.roll(|random| random.below(share + 1));
            self.published.publish(partition, records.min(left));
        }
    }

    /// The group gives a partition to a process. Its owner is told now, later, or long after.
    fn give(&mut self, partition: usize, to: i64) {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let before = self.owners[partition].replace(to);
        if before == Some(to) {
            return;
        }
        let (told, begins) = self.roll(|random| {
            let most = random.pick(&[50, 50, 3_000, 3_000, 30_000]);
            (random.ms(0, most), random.ms(0, 500))
        });
        if let Some(owner) = before.and_then(|owner| self.process(owner)) {
            if told > Duration::from_secs(1) || owner.gate.is_stopped() {
                self.server.counts.add("zombies");
            }
            owner.log.tell(Change::Revoked(number), told);
            self.server.counts.add("rebalances");
        }
        if let Some(process) = self.process(to) {
            process.log.tell(Change::Assigned(number), begins);
        }
        self.server.trace.note(
            "given",
            [
                ("partition", i64::from(number)),
                ("from", before.unwrap_or(0)),
                ("to", to),
            ],
        );
    }

    fn give_to_any(&mut self, partition: usize) {
        let running: Vec<i64> = self
            .processes
            .iter()
            .filter(|process| !process.gate.is_stopped())
            .map(|process| process.id)
            .collect();
        if running.is_empty() {
            self.start();
            return self.give(partition, self.started);
        }
        let to = running[self.roll(|random| random.below(running.len()))];
        self.give(partition, to);
    }

    fn give_away_all_of(&mut self, id: i64) {
        for partition in 0..self.owners.len() {
            if self.owners[partition] == Some(id) {
                self.give_to_any(partition);
            }
        }
    }

    fn any_process(&self) -> Option<i64> {
        let some = self.processes.len();
        (some > 0).then(|| self.processes[self.roll(|random| random.below(some))].id)
    }

    async fn storm(&mut self) -> Step {
        let put_back = self.plan.put_back;
        let what = self.roll(|random| random.below(100)) as u64;
        let any = self.any_process();
        match (what, any) {
            (0..20, _) => {
                let partition = self.roll(|random| random.below(self.plan.partitions));
                self.give_to_any(partition);
            }
            (20..34, Some(id)) => self.stop(id),
            (34..44, Some(id)) => self.kill(id),
            (44..50, Some(id)) => self.shut_down(id),
            (50..58, _) => self.server.kill_any(),
            (58..62, _) => self.restart_database(),
            (62..72, _) if self.processes.len() < 4 => self.start(),
            _ if what >= 100 - put_back => self.put_back(),
            _ => {}
        }
        self.reap().await
    }

    /// Stops a process; it goes on some time later. Its group may find out meanwhile.
    fn stop(&mut self, id: i64) {
        let Some(process) = self.process(id) else {
            return;
        };
        if process.gate.is_stopped() {
            return;
        }
        let gate = Arc::clone(&process.gate);
        gate.stop();
        let (pause, noticed) = self.roll(|random| {
            let most = random.pick(&[2_000, 15_000, 60_000]);
            (random.ms(10, most), random.chance(70))
        });
        self.server.counts.add("processes stopped");
        self.server.trace.note("process stopped", [("process", id)]);
        tokio::spawn(async move {
            sleep(pause).await;
            gate.go_on();
        });
        if noticed {
            self.give_away_all_of(id);
        }
    }

    fn kill(&mut self, id: i64) {
        let Some(place) = self.processes.iter().position(|process| process.id == id) else {
            return;
        };
        let process = self.processes.remove(place);
        process.kill();
        self.server.counts.add("processes killed");
        self.server.trace.note("process killed", [("process", id)]);
        self.give_away_all_of(id);
    }

    fn shut_down(&mut self, id: i64) {
        if let Some(process) = self.process(id) {
            process.shut_down();
            self.server.counts.add("processes shut down");
            self.server
                .trace
                .note("process shuts down", [("process", id)]);
        }
    }

    /// Buries the processes that have ended by themselves.
    async fn reap(&mut self) -> Step {
        while let Some(place) = self.processes.iter().position(Process::has_ended) {
            let process = self.processes.remove(place);
            let id = process.id;
            process.ended().await?;
            self.server.trace.note("process ended", [("process", id)]);
            self.give_away_all_of(id);
        }
        Ok(())
    }

    fn restart_database(&self) {
        let down = self.roll(|random| random.ms(0, 6_000));
        self.server.counts.add("database restarts");
        self.server.trace.note("database restarts", []);
        self.server.restart(down);
    }

    fn put_back(&self) {
        let all = self.server.state().history.len();
        let survived = self.server.hidden_put_backs();
        let hidden = !survived.is_empty() && self.roll(|random| random.chance(30));
        let place = if hidden {
            survived[self.roll(|random| random.below(survived.len()))]
        } else {
            self.roll(|random| random.below(all))
        };
        let what = if hidden { HIDDEN } else { "database put back" };
        self.server.counts.add(what);
        self.server.trace.note(
            what,
            [
                ("state", place.cast_signed() as i64),
                ("of", all.cast_signed() as i64),
            ],
        );
        self.server.put_back(place, hidden);
    }

    /// The storm is over: all is published, everybody runs and knows what is theirs. Nothing may be left undone.
    async fn settle(&mut self) -> Step {
        self.server.trace.note("calm", []);
        if self.server.counts.all().contains_key(HIDDEN) {
            // The proxy that kept the sessions open lets go of them at last.
            self.server.restart(Duration::ZERO);
        }
        self.server.state().faults = Faults {
            slow_ms: 5,
            ..Faults::default()
        };
        for (partition, truth) in self.server.judge.truths.iter().enumerate() {
            let left = truth.entries.len() - self.published.of(partition);
            self.published.publish(partition, left);
        }
        let longest = self
            .server
            .judge
            .truths
            .iter()
            .map(Truth::longest_unreadable_run)
            .max();
        let limit = self.plan.policy.unreadable_run as usize;
        if longest.is_some_and(|longest| longest >= limit) {
            self.deploy_lenient();
        }
        for process in &self.processes {
            process.gate.go_on();
            process.log.tell_all_now();
        }
        let deadline = Instant::now() + Duration::from_secs(300);
        loop {
            sleep(Duration::from_millis(500)).await;
            self.server.look_around(self.plan.idle_limit);
            self.reap().await?;
            for partition in 0..self.owners.len() {
                if self.owners[partition].is_none() {
                    self.give_to_any(partition);
                }
            }
            self.processes.iter().for_each(|p| p.log.tell_all_now());
            self.judge()?;
            match self.unsettled() {
                None => break,
                Some(what) if Instant::now() > deadline => return Err(what),
                Some(_) => {}
            }
        }
        self.end().await
    }

    /// A build that can pass the unreadable records by is deployed.
    fn deploy_lenient(&mut self) {
        self.server.counts.add("lenient builds deployed");
        self.plan.policy.unreadable_run = u32::MAX;
        let old: Vec<i64> = self.processes.iter().map(|process| process.id).collect();
        self.start();
        for id in old {
            self.kill_for(id, self.started);
        }
    }

    fn kill_for(&mut self, id: i64, heir: i64) {
        self.processes.retain(|process| {
            if process.id == id {
                process.kill();
            }
            process.id != id
        });
        for partition in 0..self.owners.len() {
            if self.owners[partition] == Some(id) {
                self.give(partition, heir);
            }
        }
    }

    /// What is not done yet.
    fn unsettled(&self) -> Option<String> {
        let state = self.server.state();
        let truths = self.server.judge.truths.iter().zip(0i32..);
        truths
            .filter_map(|(truth, partition)| {
                let end = truth.bounds().1;
                match state.tables.checkpoints.get(&partition) {
                    Some(c) if (c.next, c.replay_from) == (end, end) => None,
                    Some(c) => Some(format!(
                        "partition {partition} does not settle: N={}, R={}, the log ends at {end}",
                        c.next, c.replay_from
                    )),
                    None => Some(format!("partition {partition} is never claimed")),
                }
            })
            .next()
    }

    /// Everybody shuts down; the history is what the log says.
    async fn end(&mut self) -> Step {
        for process in std::mem::take(&mut self.processes) {
            process.shut_down();
            let id = process.id;
            let ended = tokio::time::timeout(Duration::from_secs(60), process.ended()).await;
            ended.map_err(|_late| format!("process {id} does not end"))??;
        }
        self.judge()?;
        let state = self.server.state();
        for partition in (0i32..).take(self.plan.partitions) {
            self.server.judge.check(&state.tables, partition)?;
        }
        drop(state);
        self.unsettled().map_or(Ok(()), Err)
    }
}
