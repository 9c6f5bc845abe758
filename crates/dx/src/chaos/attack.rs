//! Carries a schedule out, blow after blow, and keeps the timeline.
//!
//! One task strikes; stopped members are continued between blows and during those that last. A blow that can't be struck as planned,
//! such as removing the last member, becomes its opposite and says so.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::archive::{Archivers, Blow};
use super::members::Members;
use super::plan::{Action, Planned};
use super::proxy::Proxy;
use super::sampler::Sampler;
use super::servers::Servers;
use crate::console::remark;

const TICK: Duration = Duration::from_millis(100);
/// How long nothing passes around the moment that a member is stopped, or the store's connections cut: longer than a batch waits
/// to be closed.
const HELD_BEFORE_FREEZE: Duration = Duration::from_millis(1_000);

/// Something that was done, in milliseconds since the stream began.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Event {
    pub(super) at_ms: u128,
    pub(super) what: String,
}

/// An attack under way.
pub(super) struct Attack<'a> {
    pub(super) servers: &'a Servers<'a>,
    pub(super) members: Members<'a>,
    /// The archivers, where there are any.
    pub(super) archivers: Option<Archivers<'a>>,
    pub(super) proxy: &'a Proxy,
    pub(super) sampler: &'a Sampler,
    /// How many members the run was asked for.
    pub(super) usual: usize,
    pub(super) began: Instant,
    pub(super) timeline: Vec<Event>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Members that ended by themselves.
    pub(super) deserters: Vec<String>,
}

impl Attack<'_> {
    /// Strikes every planned blow, and goes on until `length` is over.
    ///
    /// # Errors
    /// A server does not come back, or a blow can't be struck.
    pub(super) async fn run(&mut self, plan: &[Planned], length: Duration) -> anyhow::Result<()> {
        for planned in plan {
            self.until(self.began + planned.at).await?;
            *self.counts.entry(planned.action.kind()).or_default() += 1;
            self.strike(planned.action).await?;
        }
        self.until(self.began + length).await
    }

    /// Ends all that still works against the services.
    ///
    /// # Errors
    /// The disk can't be freed.
    pub(super) async fn relent(&mut self) -> anyhow::Result<()> {
        self.proxy.clear();
        self.servers.free_disk()?;
        let mut frozen_until = self.members.frozen_until();
        if let Some(archivers) = &self.archivers {
            archivers.proxy.clear();
            frozen_until = frozen_until.max(archivers.members.frozen_until());
        }
        if let Some(until) = frozen_until {
            self.until(until + TICK).await?;
        }
        self.tell("the attack is over".to_owned());
        Ok(())
    }

    /// Waits, continuing stopped members and replacing those that ended by themselves.
    async fn until(&mut self, at: Instant) -> anyhow::Result<()> {
        loop {
            let now = Instant::now();
            for name in self.members.thaw(now) {
                self.tell(format!("{name} goes on"));
            }
            for name in self.members.deserters() {
                self.tell(format!("{name} has ended by itself"));
                self.deserters.push(name);
                self.start_member()?;
            }
            self.look_after_archivers(now)?;
            if now >= at {
                return Ok(());
            }
            tokio::time::sleep_until((now + TICK).min(at)).await;
        }
    }

    /// Continues stopped archivers and replaces those that ended by themselves.
    fn look_after_archivers(&mut self, now: Instant) -> anyhow::Result<()> {
        let Some(archivers) = &mut self.archivers else {
            return Ok(());
        };
        let (woken, gone) = (archivers.members.thaw(now), archivers.members.deserters());
        archivers.blows.woken += woken.len() as u64;
        for name in woken {
            self.tell(format!("{name} goes on"));
        }
        for name in gone {
            self.tell(format!("{name} has ended by itself"));
            self.deserters.push(name);
            self.start_archiver()?;
        }
        Ok(())
    }

    /// Starts one more archiver, where there are any.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn start_archiver(&mut self) -> anyhow::Result<()> {
        if let Some(archivers) = &mut self.archivers {
            let name = archivers.members.add()?;
            self.tell(format!("{name} starts"));
        }
        Ok(())
    }

    /// Starts one more member.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn start_member(&mut self) -> anyhow::Result<()> {
        let name = self.members.add()?;
        self.tell(format!("{name} starts"));
        Ok(())
    }

    async fn strike(&mut self, action: Action) -> anyhow::Result<()> {
        self.tell(action.to_string());
        match action {
            Action::KillMember { pick } => {
                if let Some(name) = self.members.kill(pick) {
                    self.tell(format!("{name} is killed"));
                }
                self.start_member()?;
            }
            Action::FreezeMember { pick, time } => {
                // A zombie is most dangerous with a batch on its way: let each member have one that can't arrive yet.
                self.proxy.stall(HELD_BEFORE_FREEZE);
                self.until(Instant::now() + HELD_BEFORE_FREEZE / 2).await?;
                if let Some(name) = self.members.freeze(pick, time) {
                    self.tell(format!("{name} is stopped"));
                }
            }
            Action::AddMember if self.members.count() < self.usual + 2 => self.start_member()?,
            Action::AddMember => self.remove_member(0)?,
            Action::RemoveMember { pick } => self.remove_member(pick)?,
            Action::RestartBroker(end) => self.servers.restart_broker(end).await?,
            Action::RestartPostgres(end) => self.servers.restart_postgres(end).await?,
            Action::CutConnections => self.proxy.cut(),
            Action::StallConnections { time } => {
                self.proxy.stall(time);
                self.until(Instant::now() + time).await?;
            }
            Action::LoseReplies { count } => self.proxy.lose_replies(count),
            Action::LoseCommits { count } => self.proxy.lose_commits(count),
            Action::FillDisk { time } => {
                self.servers.fill_disk().await?;
                self.until(Instant::now() + time).await?;
                self.servers.free_disk()?;
            }
            Action::TakeCopy => self.servers.take_copy().await?,
            Action::PutBack => {
                self.sampler.look_away().await;
                self.servers.put_back().await?;
                self.sampler.look_afresh().await;
            }
            Action::Archive(blow) => self.strike_archivers(blow).await?,
        }
        Ok(())
    }

    async fn strike_archivers(&mut self, blow: Blow) -> anyhow::Result<()> {
        let Some(archivers) = &mut self.archivers else {
            return Ok(());
        };
        let (members, proxy) = (&mut archivers.members, &archivers.proxy);
        match blow {
            Blow::Kill { pick } => {
                if let Some(name) = members.kill(pick) {
                    archivers.blows.killed += 1;
                    self.tell(format!("{name} is killed"));
                }
                self.start_archiver()?;
            }
            Blow::Replace { pick } => {
                if let Some(name) = members.remove(pick) {
                    self.tell(format!("{name} is told to leave"));
                }
                self.start_archiver()?;
            }
            Blow::Freeze { pick, time } => {
                // As with members: what it has sent is on its way when it falls asleep.
                proxy.stall(HELD_BEFORE_FREEZE);
                self.until(Instant::now() + HELD_BEFORE_FREEZE / 2).await?;
                let archivers = self.archivers.as_mut();
                if let Some(name) = archivers.and_then(|found| found.members.freeze(pick, time)) {
                    self.tell(format!("{name} is stopped"));
                }
            }
            Blow::Cut => {
                // In the middle of something: answers of an S3 server on the same machine are quick.
                proxy.stall(HELD_BEFORE_FREEZE);
                self.until(Instant::now() + HELD_BEFORE_FREEZE / 2).await?;
                if let Some(archivers) = &self.archivers {
                    archivers.proxy.cut();
                }
            }
            Blow::Stall { time } => proxy.stall(time),
            Blow::Refuse { refusal, time } => proxy.refuse(refusal, time),
            Blow::Slow { each, time } => proxy.slow(each, time),
            Blow::LoseAnswers { count } => proxy.lose_answers(count),
        }
        Ok(())
    }

    fn remove_member(&mut self, pick: u32) -> anyhow::Result<()> {
        if self.members.count() < 2 {
            return self.start_member();
        }
        if let Some(name) = self.members.remove(pick) {
            self.tell(format!("{name} is told to leave"));
        }
        Ok(())
    }

    /// Adds a line to the timeline.
    pub(super) fn tell(&mut self, what: String) {
        let at = self.began.elapsed();
        remark(format_args!("{:>8.1} s  {what}", at.as_secs_f64()));
        self.timeline.push(Event {
            at_ms: at.as_millis(),
            what,
        });
    }
}
