// isahc: one HttpClient, its blocking calls from as many threads. The flags of workload.hpp that it knows.
use isahc::config::{CaCertificate, Configurable, VersionNegotiation};
use isahc::{HttpClient, ReadResponseExt, Request};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::{Arc, Barrier};
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

struct Flags {
    values: HashMap<String, String>,
    switches: HashSet<String>,
}

impl Flags {
    fn parse() -> Flags {
        let mut flags = Flags { values: HashMap::new(), switches: HashSet::new() };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            if name == "--vary-path" || name == "--new-connection" {
                flags.switches.insert(name);
            } else {
                flags.values.insert(name, words.next().expect("a value"));
            }
        }
        flags
    }
    fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |value| value)
    }
    fn number(&self, name: &str, default: usize) -> usize {
        self.values.get(name).map_or(default, |value| value.parse().expect("a number"))
    }
    fn has(&self, name: &str) -> bool {
        self.switches.contains(name)
    }
}

fn make_client(flags: &Flags) -> Result<HttpClient, Failure> {
    let version = match flags.text("--protocol") {
        "h2" => VersionNegotiation::http2(),
        _ => VersionNegotiation::http11(),
    };
    let mut builder = HttpClient::builder().version_negotiation(version);
    if !flags.text("--ca").is_empty() {
        builder = builder.ssl_ca_certificate(CaCertificate::file(flags.text("--ca")));
    }
    if flags.has("--new-connection") {
        builder = builder.connection_cache_size(0);
    }
    if flags.number("--connections", 0) != 0 {
        builder = builder.max_connections_per_host(flags.number("--connections", 0));
    }
    Ok(builder.build()?)
}

fn send(client: &HttpClient, flags: &Flags, body: &[u8], n: usize) -> Result<usize, Failure> {
    let mut url = flags.text("--url").to_string();
    if flags.has("--vary-path") {
        url += &format!("/items/{n}?page={n}");
    }
    let mut response = if body.is_empty() {
        client.get(url)?
    } else {
        client.send(Request::post(url).body(body.to_vec())?)?
    };
    if response.status() != 200 {
        return Err(format!("status {}", response.status()).into());
    }
    if flags.text("--api") != "read" {
        return Ok(response.text()?.len());
    }
    let (mut size, mut chunk) = (0, vec![0; 65536]);
    loop {
        match response.body_mut().read(&mut chunk)? {
            0 => return Ok(size),
            got => size += got,
        }
    }
}

fn peak_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).unwrap_or("0").to_string()
}

fn main() {
    let flags = Arc::new(Flags::parse());
    let threads = flags.number("--threads", 1);
    let requests = flags.number("--requests", 1000);
    let client = Arc::new(make_client(&flags).expect("a client"));
    let body = Arc::new(vec![b'u'; flags.number("--upload", 0)]);
    let ready = Arc::new(Barrier::new(threads + 1));
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (flags, client, body, ready) = (flags.clone(), client.clone(), body.clone(), ready.clone());
            std::thread::spawn(move || {
                send(&client, &flags, &body, 0).expect("the first answer");
                ready.wait();
                (0..requests / threads).map(|n| send(&client, &flags, &body, n).expect("an answer")).sum::<usize>()
            })
        })
        .collect();
    ready.wait();
    let begin = Instant::now();
    let bytes: usize = workers.into_iter().map(|worker| worker.join().expect("a thread")).sum();
    println!(
        "{{\"contender\": \"isahc\", \"requests\": {requests}, \"seconds\": {:.6}, \"bytes\": {bytes}, \"peak_kib\": {}}}",
        begin.elapsed().as_secs_f64(),
        peak_kib()
    );
}
