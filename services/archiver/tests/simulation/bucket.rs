//! The simulated store: one bucket, seen by each process through a connection that may do its worst.
//!
//! A request, once sent, is the server's: it is carried out although its process is killed, perhaps long after, perhaps although
//! the process was told that it failed. What never happens, unless a mistake is asked for, is a create over an object.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult,
};

use super::chance::Chance;
use super::judge::Judge;
use super::life::Life;
use super::story::Story;

/// A mistake in a store or in its use, which the judge must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// A create overwrites.
    CreateOverwrites,
    /// Names of files say the offsets and no more, so that a zombie overwrites what the winner has named.
    NamesWithoutAttempt,
    /// Files are removed by their age, named or not yet.
    SweepByAge,
    /// A put is acknowledged and forgotten.
    PutLost,
    /// A put keeps half of the bytes.
    PutCut,
    /// Whoever loses the race for a place reads its own link there.
    LoserReadsItsOwn,
    /// A listing never has the newest link: nobody gets on.
    ListingLate,
    /// Owners see no files in the folders that they write to, and so sweep nothing. An operator's sweep looks at a whole topic.
    NobodySweeps,
}

/// How bad the world is, per thousand requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// Refused: 500, 503, 429, expired credentials.
    pub(crate) refused: u64,
    /// Carried out, and the answer is lost.
    pub(crate) answer_lost: u64,
    /// The client is told of a failure, and the request is carried out later.
    pub(crate) later: u64,
    /// A create that two tries of one client make: the first works, the second is told that it exists.
    pub(crate) own_retry: u64,
    /// A create that is told of a conflict although nothing is there.
    pub(crate) conflict: u64,
    /// The longest a request takes, in milliseconds.
    pub(crate) slow_ms: u64,
}

/// The bucket, shared by all.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    objects: Arc<Mutex<BTreeMap<String, (Bytes, tokio::time::Instant)>>>,
    faults: Arc<Mutex<Faults>>,
    pub(crate) judge: Judge,
    pub(crate) chance: Chance,
    pub(crate) story: Story,
    pub(crate) mistake: Option<Mistake>,
}

impl Bucket {
    pub(crate) fn new(
        judge: Judge,
        chance: Chance,
        story: Story,
        faults: Faults,
        mistake: Option<Mistake>,
    ) -> Self {
        Self {
            objects: Arc::default(),
            faults: Arc::new(Mutex::new(faults)),
            judge,
            chance,
            story,
            mistake,
        }
    }

    pub(crate) fn calm(&self) {
        let calm = Faults {
            refused: 0,
            answer_lost: 0,
            later: 0,
            own_retry: 0,
            conflict: 0,
            slow_ms: 20,
        };
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = calm;
    }

    fn faults(&self) -> Faults {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, (Bytes, tokio::time::Instant)>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that is stored.
    pub(crate) fn contents(&self) -> BTreeMap<String, Bytes> {
        self.objects()
            .iter()
            .map(|(key, (bytes, _))| (key.clone(), bytes.clone()))
            .collect()
    }

    /// The files of records in whose names something stands.
    pub(crate) fn files_with(&self, mark: &str) -> Vec<String> {
        let objects = self.objects();
        let files = objects
            .keys()
            .filter(|key| key.starts_with("raw/") && key.contains(mark));
        files.cloned().collect()
    }

    /// Removes raw files older than `age`, as a sweeper with a clock does.
    pub(crate) fn sweep_by_age(&self, age: Duration) {
        let named = self.judge.named();
        let old: Vec<String> = self
            .objects()
            .iter()
            .filter(|(key, (_, at))| {
                key.starts_with("raw/") && at.elapsed() > age && !named.contains(*key)
            })
            .map(|(key, _)| key.clone())
            .collect();
        old.iter().for_each(|key| self.remove(key));
    }

    fn stored_name(&self, path: &Path) -> String {
        let name = path.to_string();
        if self.mistake == Some(Mistake::NamesWithoutAttempt) && name.starts_with("raw/") {
            // {partition}-{start}-{end}-{log}-{writer}-{attempt}.suffix
            let parts: Vec<&str> = name.rsplitn(3, '-').collect();
            return parts[2].to_owned();
        }
        name
    }

    fn carry_out_put(&self, name: &str, bytes: &Bytes, create: bool) -> Result<(), ()> {
        let mut objects = self.objects();
        let there = objects.contains_key(name);
        if create && there && self.mistake != Some(Mistake::CreateOverwrites) {
            return Err(());
        }
        let bytes = match self.mistake {
            Some(Mistake::PutLost) if name.starts_with("raw/") && self.chance.rarely(50) => {
                return Ok(());
            }
            Some(Mistake::PutCut) if name.starts_with("raw/") && self.chance.rarely(50) => {
                bytes.slice(..bytes.len() / 2)
            }
            _ => bytes.clone(),
        };
        let entry = (bytes.clone(), tokio::time::Instant::now());
        let before = objects
            .insert(name.to_owned(), entry)
            .map(|(before, _)| before);
        drop(objects);
        if name.starts_with("_manifests/") {
            self.story.note("link", name);
            self.judge.linked(name, &bytes, there, &self.contents());
        } else {
            self.story.note("put", name);
            self.judge.stored(name, before.as_ref(), &bytes);
        }
        Ok(())
    }

    fn remove(&self, name: &str) {
        if self.objects().remove(name).is_some() {
            self.story.note("removed", name);
            self.judge.removed(name);
        }
    }
}

/// A process's connection to the bucket.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    bucket: Bucket,
    life: Life,
    /// What this process last tried to create, for the mistake that reads it back.
    tried: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Connection {
    pub(crate) fn new(bucket: &Bucket, life: &Life) -> Self {
        Self {
            bucket: bucket.clone(),
            life: life.clone(),
            tried: Arc::default(),
        }
    }

    async fn travel(&self) {
        let slow = self.bucket.faults().slow_ms;
        tokio::time::sleep(self.bucket.chance.millis(slow)).await;
    }

    fn refusal(&self, what: &'static str) -> Error {
        self.bucket.story.count(what);
        Error::Generic {
            store: "simulated",
            source: what.into(),
        }
    }

    /// Waits for an answer of the server, which goes on whatever becomes of the asker.
    async fn ask<T: Send + 'static>(&self, request: impl Future<Output = T> + Send + 'static) -> T {
        let answer = tokio::spawn(request);
        self.life
            .within(answer)
            .await
            .expect("the server does not fail")
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }
}

type Answer<T> = object_store::Result<T>;

fn put_result() -> PutResult {
    PutResult {
        e_tag: None,
        version: None,
        extensions: Default::default(),
    }
}

fn exists(name: &str) -> Error {
    Error::AlreadyExists {
        path: name.to_owned(),
        source: "it exists".into(),
    }
}

fn not_found(name: &str) -> Error {
    Error::NotFound {
        path: name.to_owned(),
        source: "it is not there".into(),
    }
}

#[async_trait::async_trait]
impl ObjectStore for Connection {
    async fn put_opts(
        &self,
        to: &Path,
        body: PutPayload,
        options: PutOptions,
    ) -> Answer<PutResult> {
        let (name, bytes) = (self.bucket.stored_name(to), Bytes::from(body));
        let create = options.mode == PutMode::Create;
        let (faults, chance) = (self.bucket.faults(), self.bucket.chance.clone());
        self.tried
            .lock()
            .unwrap()
            .insert(name.clone(), bytes.clone());
        if chance.rarely(faults.refused) {
            self.travel().await;
            return Err(self.refusal("requests refused"));
        }
        if create && chance.rarely(faults.conflict) {
            self.bucket.story.count("conflicts over nothing");
            return Err(exists(&name));
        }
        let this = self.clone();
        if chance.rarely(faults.later) {
            let delay = chance.millis(60_000);
            self.bucket.story.count("requests carried out later");
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let _ = this.bucket.carry_out_put(&name, &bytes, create);
            });
            self.travel().await;
            return Err(self.refusal("timeouts"));
        }
        let (carried, shown) = (name.clone(), name.clone());
        let done = self
            .ask(async move {
                this.travel().await;
                this.bucket.carry_out_put(&carried, &bytes, create)
            })
            .await;
        if chance.rarely(faults.answer_lost) {
            return Err(self.refusal("answers lost"));
        }
        match done {
            Err(()) => Err(exists(&shown)),
            Ok(()) if create && chance.rarely(faults.own_retry) => {
                self.bucket.story.count("told of one's own object");
                Err(exists(&shown))
            }
            Ok(()) => Ok(put_result()),
        }
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Answer<Box<dyn MultipartUpload>> {
        Err(self.refusal("nobody uses this"))
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Answer<GetResult> {
        self.life.within(self.travel()).await;
        if self.bucket.chance.rarely(self.bucket.faults().refused) {
            return Err(self.refusal("requests refused"));
        }
        let name = self.bucket.stored_name(from);
        let mut found = self
            .bucket
            .objects()
            .get(&name)
            .map(|(bytes, _)| bytes.clone());
        if self.bucket.mistake == Some(Mistake::LoserReadsItsOwn) {
            found = self.tried.lock().unwrap().get(&name).cloned().or(found);
        }
        let bytes = found.ok_or_else(|| not_found(&name))?;
        // A real answer for these bytes, ranges and all.
        let one = object_store::memory::InMemory::new();
        one.put(from, bytes.into()).await?;
        one.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Answer<Path>>,
    ) -> BoxStream<'static, Answer<Path>> {
        let this = self.clone();
        paths
            .then(move |path| {
                let this = this.clone();
                async move {
                    let path = path?;
                    this.life.within(this.travel()).await;
                    if this.bucket.chance.rarely(this.bucket.faults().refused) {
                        return Err(this.refusal("requests refused"));
                    }
                    this.bucket.remove(&this.bucket.stored_name(&path));
                    Ok(path)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Answer<ObjectMeta>> {
        let prefix = prefix.map(ToString::to_string).unwrap_or_default();
        let this = self.clone();
        let listing = async move {
            this.life.within(this.travel()).await;
            if this.bucket.chance.rarely(this.bucket.faults().refused) {
                return vec![Err(this.refusal("requests refused"))];
            }
            let mut found: Vec<Answer<ObjectMeta>> = this
                .bucket
                .objects()
                .iter()
                .filter(|(name, _)| name.starts_with(&format!("{prefix}/")))
                .map(|(name, (bytes, _))| {
                    Ok(ObjectMeta {
                        location: Path::from(name.as_str()),
                        last_modified: Default::default(),
                        size: bytes.len() as u64,
                        e_tag: None,
                        version: None,
                    })
                })
                .collect();
            if this.bucket.mistake == Some(Mistake::NobodySweeps) && prefix.contains("/hour=") {
                found.clear();
            }
            if this.bucket.mistake == Some(Mistake::ListingLate) && prefix.starts_with("_manifests")
            {
                found.pop();
            }
            found
        };
        futures::stream::once(listing)
            .flat_map(futures::stream::iter)
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Answer<ListResult> {
        let below = prefix
            .map(|prefix| format!("{prefix}/"))
            .unwrap_or_default();
        let mut folders: Vec<Path> = Vec::new();
        for name in self.bucket.contents().keys() {
            let folder = name
                .strip_prefix(&below)
                .and_then(|rest| rest.split_once('/'));
            if let Some((folder, _)) = folder {
                folders.push(Path::from(format!("{below}{folder}")));
            }
        }
        folders.dedup();
        Ok(ListResult {
            common_prefixes: folders,
            objects: Vec::new(),
            extensions: Default::default(),
        })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Answer<()> {
        Err(self.refusal("nobody uses this"))
    }
}
