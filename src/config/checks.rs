//! A last look at texts whose type says too little: file names, addresses, host names, templates, CPU lists.

type Check = Result<(), &'static str>;

/// Longest text of an IP address, with its NUL.
const ADDRESS_BYTES_MAX: usize = 46;
/// Longest host name, with its NUL.
const HOSTNAME_BYTES_MAX: usize = 256;
/// Longest `hash-seed`.
const HASH_SEED_BYTES_MAX: usize = 256;
/// Highest CPU number a list may name.
pub const CPU_MAX: usize = 4095;

fn base_name(text: &[u8], empty: &'static str, path: &'static str) -> Check {
    if text.is_empty() {
        return Err(empty);
    }
    if text.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
        return Err(path);
    }
    Ok(())
}

/// `dbfilename`
pub fn dbfilename(text: &[u8]) -> Check {
    base_name(text, "dbfilename can't be empty", "dbfilename can't be a path, just a filename")
}

/// `appendfilename`
pub fn appendfilename(text: &[u8]) -> Check {
    base_name(text, "appendfilename can't be empty", "appendfilename can't be a path, just a filename")
}

/// `appenddirname`
pub fn appenddirname(text: &[u8]) -> Check {
    base_name(text, "appenddirname can't be empty", "appenddirname can't be a path, just a dirname")
}

/// `cluster-config-file`
pub fn cluster_config_file(text: &[u8]) -> Check {
    if text.is_empty() { Err("cluster-config-file can't be empty") } else { Ok(()) }
}

/// Whether a text can stand in the cluster's own file, whose lines it must not break.
fn fits_nodes_file(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte > b',' && *byte != 0x7f && !b";<=>?@[]^{|}~\\".contains(byte))
}

/// `cluster-announce-human-nodename`
pub fn human_nodename(text: &[u8]) -> Check {
    if fits_nodes_file(text) { Ok(()) } else { Err("Announced human node name contained invalid character") }
}

/// `cluster-announce-ip`
pub fn announce_ip(text: &[u8]) -> Check {
    if text.len() >= ADDRESS_BYTES_MAX {
        return Err("cluster-announce-ip is too long");
    }
    if fits_nodes_file(text) { Ok(()) } else { Err("cluster-announce-ip contains invalid character") }
}

/// `cluster-announce-hostname`
pub fn hostname(text: &[u8]) -> Check {
    if text.len() >= HOSTNAME_BYTES_MAX {
        return Err("Hostnames must be less than 256 characters");
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if text.iter().all(allowed) {
        Ok(())
    } else {
        Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
    }
}

fn is_address<A: std::str::FromStr>(text: &[u8]) -> bool {
    text.is_empty() || std::str::from_utf8(text).is_ok_and(|text| text.parse::<A>().is_ok())
}

/// `cluster-announce-client-ipv4`
pub fn ipv4(text: &[u8]) -> Check {
    if is_address::<std::net::Ipv4Addr>(text) { Ok(()) } else { Err("Invalid IPv4 address") }
}

/// `cluster-announce-client-ipv6`
pub fn ipv6(text: &[u8]) -> Check {
    if is_address::<std::net::Ipv6Addr>(text) { Ok(()) } else { Err("Invalid IPv6 address") }
}

/// `hash-seed`
pub fn hash_seed(text: &[u8]) -> Check {
    if text.len() > HASH_SEED_BYTES_MAX {
        return Err("hash-seed must be less than or equal to 256 characters");
    }
    Ok(())
}

/// `proc-title-template`: every `{variable}` is known and closed, `{{` stands for a brace, and something is left.
pub fn proc_title(text: &[u8]) -> Check {
    const REFUSAL: &str = "template format is invalid or contains unknown variables";
    const VARIABLES: &[&[u8]] =
        &[b"title", b"listen-addr", b"server-mode", b"port", b"tls-port", b"unixsocket", b"config-file"];
    let mut rest = text;
    let mut shows_something = false;
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        shows_something |= rest[..open].iter().any(|byte| *byte != b' ');
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix(b"{") {
            shows_something = true;
            rest = after;
            continue;
        }
        let close = rest.iter().position(|byte| *byte == b'}').ok_or(REFUSAL)?;
        if !VARIABLES.contains(&&rest[..close]) {
            return Err(REFUSAL);
        }
        // Where only a title or a mode stands, what is shown depends on the start; the rest is never empty.
        shows_something |= !matches!(&rest[..close], b"title" | b"server-mode" | b"unixsocket");
        rest = &rest[close + 1..];
    }
    shows_something |= rest.iter().any(|byte| *byte != b' ');
    if shows_something { Ok(()) } else { Err(REFUSAL) }
}

/// `shard-cpus`
pub fn cpu_list(text: &[u8]) -> Check {
    parse_cpu_list(text).map(drop)
}

/// The CPUs a list such as `0-3,8` names, in its order, each once. An empty list names none.
pub fn parse_cpu_list(text: &[u8]) -> Result<Vec<usize>, &'static str> {
    const REFUSAL: &str = "argument must be a CPU list such as 0-3,8";
    let text = std::str::from_utf8(text).map_err(|_| REFUSAL)?;
    let mut cpus = Vec::new();
    if text.is_empty() {
        return Ok(cpus);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first = cpu(first).ok_or(REFUSAL)?;
        let last = cpu(last).ok_or(REFUSAL)?;
        if first > last {
            return Err(REFUSAL);
        }
        for number in first..=last {
            if cpus.contains(&number) {
                return Err("a CPU may stand only once in the list");
            }
            cpus.push(number);
        }
    }
    Ok(cpus)
}

fn cpu(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: usize = if digits { text.parse().ok()? } else { return None };
    (number <= CPU_MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_name_each_cpu_once_and_in_order() {
        assert_eq!(parse_cpu_list(b"0-3,8"), Ok(vec![0, 1, 2, 3, 8]));
        assert_eq!(parse_cpu_list(b"5,1"), Ok(vec![5, 1]));
        assert_eq!(parse_cpu_list(b""), Ok(vec![]));
        for text in ["a", "1-", "-1", "3-1", "1,,2", "0-3,2", "4096", "1 2", "+1"] {
            assert!(parse_cpu_list(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn file_names_are_no_paths() {
        assert_eq!(dbfilename(b"dump.rdb"), Ok(()));
        assert_eq!(dbfilename(b""), Err("dbfilename can't be empty"));
        assert_eq!(dbfilename(b"../x"), Err("dbfilename can't be a path, just a filename"));
        assert_eq!(appenddirname(b"a\\b"), Err("appenddirname can't be a path, just a dirname"));
    }

    #[test]
    fn titles_know_their_variables() {
        for good in ["{title} {listen-addr} {server-mode}", "x", "{{", "{port}", "{config-file}"] {
            assert_eq!(proc_title(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["", "  ", "{", "{title", "{nosuch}", "{title}", "{server-mode} "] {
            assert!(proc_title(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn announced_names_cannot_break_the_cluster_file() {
        assert_eq!(human_nodename(b"node-1"), Ok(()));
        assert!(human_nodename(b"a b").is_err());
        assert!(human_nodename(b"a=b").is_err());
        assert_eq!(announce_ip(b"10.0.0.1"), Ok(()));
        assert_eq!(announce_ip(&[b'1'; 46]), Err("cluster-announce-ip is too long"));
        assert_eq!(hostname(b"a.b-c"), Ok(()));
        assert!(hostname(b"a_b").is_err());
        assert!(hostname(&[b'a'; 256]).is_err());
    }

    #[test]
    fn addresses_are_read_as_such() {
        assert_eq!(ipv4(b"1.2.3.4"), Ok(()));
        assert_eq!(ipv4(b"1.2.3"), Err("Invalid IPv4 address"));
        assert_eq!(ipv6(b"::1"), Ok(()));
        assert_eq!(ipv6(b"1.2.3.4"), Err("Invalid IPv6 address"));
    }
}
