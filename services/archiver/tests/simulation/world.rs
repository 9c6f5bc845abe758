//! One run: processes over a log and a bucket, a storm of faults, then calm in which everything has to settle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use archive::{ArchiveStore, Chain, ChainId, FileFormat, Gap, Region, TopicId, TopicName};
use archiver::accept_gap::accept_gap;
use archiver::raw::{RawPolicy, Rotation};
use archiver::sweep::sweep_topic;
use tokio::time::sleep;

use super::broker::{Broker, TOPIC, TOPIC_ID};
use super::bucket::{Bucket, Connection, Faults, Mistake};
use super::chance::Chance;
use super::judge::Judge;
use super::life::Life;
use super::process::Process;
use super::story::Story;
use super::truth::{DEFAULT_REGION, Truth};

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) failure: Option<String>,
    pub(crate) hash: u64,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) lines: Vec<String>,
}

/// Runs a seed, with a mistake if one is asked for.
pub(crate) fn simulate(seed: u64, mistake: Option<Mistake>) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (chance, story) = (Chance::of(seed), Story::begin());
        let plan = Plan::draw(&chance);
        let truths = (0..plan.partitions).map(|_| Truth::draw(&chance)).collect();
        let judge = Judge::new(truths);
        let bucket = Bucket::new(judge.clone(), chance, story.clone(), plan.faults, mistake);
        let broker = Broker::new(Arc::clone(&judge.truths));
        let mut world = World {
            owners: vec![None; plan.partitions],
            processes: Vec::new(),
            started: 0,
            broker,
            bucket,
            plan,
        };
        let failure = world.run().await.err();
        world.processes.iter().for_each(Process::kill);
        Report {
            seed,
            failure,
            hash: story.hash(),
            counts: story.counts(),
            lines: story.lines(),
        }
    })
}

/// What a seed decides before anything happens.
#[derive(Debug)]
struct Plan {
    partitions: usize,
    members: u64,
    storms: u64,
    policy: Arc<RawPolicy>,
    memory: usize,
    faults: Faults,
    /// How often retention comes, in a thousand storms.
    retention: u64,
}

impl Plan {
    fn draw(chance: &Chance) -> Self {
        let rotation = Rotation {
            bytes: chance.one_of(&[1, 300, 1 << 20]),
            rows: chance.one_of(&[1, 3, 10, 1_000]),
            age: Duration::from_millis(chance.one_of(&[1, 500, 5_000, 60_000])),
            files: chance.index(6) + 1,
        };
        let policy = RawPolicy {
            rotation,
            format: FileFormat::Jsonl,
            zstd_level: 1,
            default_region: Region::parse(DEFAULT_REGION).unwrap(),
        };
        let stormy = chance.rarely(750);
        let bad = |chance: &Chance, most: u64| if stormy { chance.below(most) } else { 0 };
        let faults = Faults {
            refused: bad(chance, 200),
            answer_lost: bad(chance, 150),
            later: bad(chance, 80),
            own_retry: bad(chance, 150),
            conflict: bad(chance, 60),
            slow_ms: chance.one_of(&[3, 100, 1_000, 20_000]),
        };
        Self {
            partitions: 1 + chance.index(3),
            members: 1 + chance.below(3),
            storms: 5 + chance.below(25),
            policy: Arc::new(policy),
            memory: chance.one_of(&[1, 20 << 20, usize::MAX]),
            faults,
            retention: chance.one_of(&[0, 0, 60]),
        }
    }
}

struct World {
    plan: Plan,
    broker: Broker,
    bucket: Bucket,
    processes: Vec<Process>,
    /// Which process the group has given each partition to.
    owners: Vec<Option<u64>>,
    started: u64,
}

type Step = Result<(), String>;

impl World {
    async fn run(&mut self) -> Step {
        for _ in 0..self.plan.members {
            self.start();
        }
        self.give_all();
        for _ in 0..self.plan.storms {
            let most = self.bucket.chance.one_of(&[500, 3_000, 20_000]);
            sleep(self.bucket.chance.millis(most)).await;
            self.publish();
            self.storm();
            self.judge().await?;
        }
        self.settle().await
    }

    async fn judge(&mut self) -> Step {
        for process in &mut self.processes {
            if let Some(said) = process.panicked().await {
                return Err(format!("process {} panicked: {said}", process.id));
            }
        }
        self.bucket.judge.failure().map_or(Ok(()), Err)
    }

    fn chance(&self) -> Chance {
        self.bucket.chance.clone()
    }

    fn start(&mut self) {
        self.started += 1;
        let process = Process::start(
            self.started,
            &self.broker,
            &self.bucket,
            &self.plan.policy,
            self.plan.memory,
        );
        self.processes.push(process);
    }

    fn publish(&self) {
        for partition in 0..self.plan.partitions {
            let most = self.broker.truths[partition].entries.len() / 4 + 1;
            self.broker.publish(partition, self.chance().index(most));
        }
    }

    /// Gives partitions that nobody has to somebody.
    fn give_all(&mut self) {
        for partition in 0..self.plan.partitions {
            if self.owners[partition].is_none() {
                self.give(partition);
            }
        }
    }

    /// Gives a partition to some process. Its owner before may never learn of it.
    fn give(&mut self, partition: usize) {
        let chance = self.chance();
        if let Some(before) = self.owners[partition]
            && let Some(process) = self
                .processes
                .iter_mut()
                .find(|process| process.id == before)
            && chance.rarely(600)
        {
            process.revoke(partition);
        }
        if self.processes.is_empty() {
            self.start();
        }
        let place = chance.index(self.processes.len());
        self.processes[place].assign(partition);
        self.owners[partition] = Some(self.processes[place].id);
        self.bucket.story.note(
            "rebalanced",
            format!("{partition} to {}", self.processes[place].id),
        );
    }

    fn storm(&mut self) {
        let chance = self.chance();
        if self.bucket.mistake == Some(Mistake::SweepByAge) {
            self.bucket.sweep_by_age(Duration::from_secs(5));
        }
        if chance.rarely(self.plan.retention) {
            let partition = chance.index(self.plan.partitions);
            self.broker.remove(partition, chance.index(20));
            let first = self.broker.first(partition);
            self.bucket.judge.begins(partition, first);
            self.bucket
                .story
                .note("retention", format!("{partition} begins at {first}"));
        }
        if self.processes.is_empty() {
            self.start();
        }
        let place = chance.index(self.processes.len());
        match chance.below(100) {
            0..15 => {
                let process = self.processes.remove(place);
                self.bucket.story.note("killed", process.id);
                process.kill();
                self.forget_owner(process.id);
                self.start();
            }
            15..30 => {
                self.bucket.story.note("stopped", self.processes[place].id);
                self.processes[place].life.stop();
                // The group finds out that it is silent, and gives what it had to others.
                if chance.rarely(700) {
                    self.forget_owner(self.processes[place].id);
                }
            }
            30..50 => {
                self.bucket.story.note("goes on", self.processes[place].id);
                self.processes[place].life.go_on();
            }
            50..65 => self.give(chance.index(self.plan.partitions)),
            65..75 => {
                let process = &self.processes[place];
                self.bucket.story.note("shut down", process.id);
                process.life.go_on();
                process.shut_down();
                let id = process.id;
                self.forget_owner(id);
                self.start();
            }
            75..80 => self.start(),
            _ => {}
        }
        self.give_all();
    }

    fn forget_owner(&mut self, id: u64) {
        for owner in &mut self.owners {
            if *owner == Some(id) {
                *owner = None;
            }
        }
    }

    /// No more faults, everything published, one process that works: the archive must become whole.
    async fn settle(&mut self) -> Step {
        self.bucket.story.note("calm", "");
        self.bucket.calm();
        for partition in 0..self.plan.partitions {
            self.broker.publish(partition, usize::MAX / 2);
        }
        self.processes
            .iter()
            .for_each(|process| process.life.go_on());
        self.start();
        let last = self.processes.len() - 1;
        for partition in 0..self.plan.partitions {
            self.processes[last].assign(partition);
        }
        // Requests that were to be carried out later are, by then.
        for _ in 0..60 {
            sleep(Duration::from_secs(10)).await;
            self.accept_gaps().await?;
            self.judge().await?;
            if self.is_whole().await? && self.bucket.story.counts().contains_key("waited") {
                break;
            }
            self.bucket.story.count("waited");
        }
        self.processes.iter().for_each(Process::shut_down);
        sleep(Duration::from_secs(120)).await;
        self.judge().await?;
        self.inherit().await?;
        let topic = TopicName::parse(TOPIC).unwrap();
        let swept = sweep_topic(&self.store(), &topic, true, &mut |_| {}).await;
        let swept = swept.map_err(|error| format!("the last sweep: {error}"))?;
        if swept.orphans > 0 {
            self.bucket.story.count("runs with orphans in the end");
        }
        self.judge().await?;
        self.bucket.judge.in_the_end(&self.bucket.contents())
    }

    /// Nothing fails any more and nobody works, when one is killed between its files and their link. Whoever comes after it must leave
    /// none of them: there is nothing that could excuse it. (What came of the storm may be excused, by requests that were carried out
    /// too late or by a sweep that was refused, and is left to an operator's sweep.)
    async fn inherit(&mut self) -> Step {
        self.processes.drain(..).for_each(|process| process.kill());
        self.broker.open_reserve();
        for partition in 0..self.plan.partitions {
            self.broker.publish(partition, usize::MAX / 2);
        }
        self.start();
        for partition in 0..self.plan.partitions {
            self.processes[0].assign(partition);
        }
        // Longer than a batch stays open.
        for _ in 0..20_000 {
            sleep(Duration::from_millis(5)).await;
            if !self.processes[0].files().is_empty() {
                break;
            }
        }
        let victim = self.processes.remove(0);
        victim.kill();
        // What it has sent arrives.
        sleep(Duration::from_secs(1)).await;
        let orphans = |named: &BTreeSet<String>| -> Vec<String> {
            let files = victim.files().into_iter();
            files.filter(|key| !named.contains(key)).collect()
        };
        for _ in orphans(&self.bucket.judge.named()) {
            self.bucket.story.count("left behind in the calm");
        }
        self.start();
        for partition in 0..self.plan.partitions {
            self.processes[0].assign(partition);
        }
        for _ in 0..60 {
            sleep(Duration::from_secs(10)).await;
            self.accept_gaps().await?;
            self.judge().await?;
            if self.is_whole().await? {
                break;
            }
        }
        self.processes[0].shut_down();
        sleep(Duration::from_secs(120)).await;
        self.judge().await?;
        match orphans(&self.bucket.judge.named()).first() {
            Some(left) => Err(format!("the heir of a killed one has left {left}")),
            None => Ok(()),
        }
    }

    fn store(&self) -> ArchiveStore {
        ArchiveStore::over(
            Arc::new(Connection::new(&self.bucket, &Life::default())),
            "operator",
        )
    }

    fn chain(&self, partition: usize) -> Chain {
        let id = ChainId {
            topic: TopicName::parse(TOPIC).unwrap(),
            topic_id: TopicId::parse(TOPIC_ID).unwrap(),
            partition: i32::try_from(partition).unwrap(),
        };
        Chain::new(self.store(), id)
    }

    async fn is_whole(&self) -> Result<bool, String> {
        for partition in 0..self.plan.partitions {
            let truth = &self.broker.truths[partition];
            let published = self.broker.most(partition);
            let end = self
                .chain(partition)
                .head()
                .await
                .map_err(|error| error.to_string())?
                .end;
            if end != Some(truth.end(published)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What an operator does when a partition is stopped behind a gap.
    async fn accept_gaps(&self) -> Step {
        for partition in 0..self.plan.partitions {
            let first = self.broker.first(partition);
            let chain = self.chain(partition);
            let end = chain.head().await.map_err(|error| error.to_string())?.end;
            if end.is_some_and(|end| end < first) {
                self.bucket.judge.given_up(partition, first);
                let gap = Gap {
                    reason: "retention".into(),
                    accepted_by: "operator".into(),
                };
                accept_gap(&chain, first, gap)
                    .await
                    .map_err(|error| error.to_string())?;
                self.bucket
                    .story
                    .note("gap accepted", format!("{partition} up to {first}"));
            }
        }
        Ok(())
    }
}
