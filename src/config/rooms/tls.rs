//! Encrypted connections.

use crate::config::choices::{TlsAuthClients, TlsUserField};
use crate::config::row::rows;
use crate::config::values::{I32_MAX, Secret, Text};

rows! { tls: Tls, "TLS/SSL", "Encrypted connections.";
    "tls-port" => tls_port: i64 = 0,
        "TCP port for TLS clients; 0 turns it off.",
        range(0, 65_535), later("TLS is not built");
    "tls-cert-file" => tls_cert_file: Text = Text::of(""),
        "Certificate of this server, in PEM form.",
        empty_is_unset, volatile, later("TLS is not built");
    "tls-key-file" => tls_key_file: Text = Text::of(""),
        "Private key of the certificate, in PEM form.",
        empty_is_unset, volatile, later("TLS is not built");
    "tls-key-file-pass" => tls_key_file_pass: Secret = Secret::of(""),
        "Passphrase of the private key.",
        empty_is_unset, sensitive, later("TLS is not built");
    "tls-client-cert-file" => tls_client_cert_file: Text = Text::of(""),
        "Certificate shown when this server is the client (replication, cluster bus); by default tls-cert-file.",
        empty_is_unset, volatile, later("TLS is not built");
    "tls-client-key-file" => tls_client_key_file: Text = Text::of(""),
        "Private key of the client certificate.",
        empty_is_unset, volatile, later("TLS is not built");
    "tls-client-key-file-pass" => tls_client_key_file_pass: Secret = Secret::of(""),
        "Passphrase of the client key.",
        empty_is_unset, sensitive, later("TLS is not built");
    "tls-dh-params-file" => tls_dh_params_file: Text = Text::of(""),
        "Diffie-Hellman parameters for old clients.",
        empty_is_unset, volatile, later("TLS is not built");
    "tls-ca-cert-file" => tls_ca_cert_file: Text = Text::of(""),
        "Bundle of authorities trusted to sign the certificates of peers.",
        empty_is_unset, volatile, later("TLS is not built");
    "tls-ca-cert-dir" => tls_ca_cert_dir: Text = Text::of(""),
        "Folder of such authorities, hashed as OpenSSL does.",
        empty_is_unset, volatile, later("TLS is not built");
    "tls-auth-clients" => tls_auth_clients: TlsAuthClients = TlsAuthClients::Yes,
        "Whether clients must (yes), may (optional) or need not (no) show a certificate.",
        later("TLS is not built");
    "tls-auth-clients-user" => tls_auth_clients_user: TlsUserField = TlsUserField::Off,
        "Field of a client's certificate that names the user it is logged in as.",
        later("TLS is not built");
    "tls-replication" => tls_replication: bool = false,
        "Use TLS on the link to the primary.",
        later("TLS is not built");
    "tls-cluster" => tls_cluster: bool = false,
        "Use TLS on the cluster bus.",
        later("TLS is not built");
    "tls-protocols" => tls_protocols: Text = Text::of(""),
        "Protocol versions allowed, for example \"TLSv1.2 TLSv1.3\".",
        empty_is_unset, later("TLS is not built");
    "tls-ciphers" => tls_ciphers: Text = Text::of(""),
        "Ciphers allowed up to TLS 1.2.",
        empty_is_unset, later("TLS is not built");
    "tls-ciphersuites" => tls_ciphersuites: Text = Text::of(""),
        "Cipher suites allowed in TLS 1.3.",
        empty_is_unset, later("TLS is not built");
    "tls-prefer-server-ciphers" => tls_prefer_server_ciphers: bool = false,
        "Follow the server's order of ciphers instead of the client's.",
        later("TLS is not built");
    "tls-session-caching" => tls_session_caching: bool = true,
        "Let returning clients resume a session with a shorter handshake.",
        later("TLS is not built");
    "tls-session-cache-size" => tls_session_cache_size: i64 = 20_480,
        "Sessions kept for that; 0 means no limit.",
        range(0, I32_MAX), later("TLS is not built");
    "tls-session-cache-timeout" => tls_session_cache_timeout: i64 = 300,
        "Seconds a cached session stays valid.",
        range(0, I32_MAX), later("TLS is not built");
    "tls-auto-reload-interval" => tls_auto_reload_interval: i64 = 0,
        "Seconds between two looks for renewed certificate files; 0 turns it off.",
        range(0, I32_MAX), later("TLS is not built");
}
