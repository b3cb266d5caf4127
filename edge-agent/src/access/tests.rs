//! The door as a whole, with real hashes; time is an argument where it is judged, and paused where it is waited for.

use std::net::Ipv4Addr;

use tokio::time::timeout;

use super::*;

const PASSWORD: &str = "Mười hai ký tự";
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// Shorter than trying a password takes.
const A_MOMENT: Duration = Duration::from_millis(1);
/// Longer than a few tries take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9));

fn account(name: &str, role: Role, password: &str) -> Account {
    let hash = PasswordHash::of(name, &Secret::new(password)).expect("good");
    Account { name: AccountName::new(name).expect("a name"), role, hash }
}

fn attempt(name: &str, password: &str, address: IpAddr) -> Attempt {
    Attempt { name: name.to_owned(), password: Secret::new(password), address }
}

fn peer(address: IpAddr) -> Peer {
    Peer { address, certificate: None }
}

/// With the accounts `an` (operator) and `binh` (admin), in a file.
struct Door {
    folder: tempfile::TempDir,
    accounts: Accounts,
    access: Access,
}

impl Door {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut accounts = Accounts::default();
        accounts.put(account("an", Role::Operator, PASSWORD));
        accounts.put(account("binh", Role::Admin, "another password"));
        let certificates = BTreeMap::from([("Trung tâm <IOC>".to_owned(), Role::Viewer)]);
        let file = folder.path().join("accounts");
        let door = Self { folder, accounts, access: Access::new(Some(file), certificates, Journal::default()) };
        door.write().await;
        door
    }

    async fn write(&self) {
        self.accounts.write(&self.folder.path().join("accounts")).expect("written");
        self.access.refresh().await;
    }

    async fn who(&self, id: &Secret, now: Instant) -> Option<Identity> {
        self.access.identify(&peer(HOME), Some(id.expose()), now).await
    }
}

#[tokio::test]
async fn the_right_password_opens_a_session_of_the_accounts_role_and_no_other_does() {
    let (door, now) = (Door::new().await, Instant::now());
    assert_eq!(door.access.log_in(attempt("an", "Mười hai ký tử", HOME), now).await, Err(Refusal::Wrong));
    assert_eq!(door.access.log_in(attempt("nobody", PASSWORD, HOME), now).await, Err(Refusal::Wrong));
    assert_eq!(door.access.log_in(attempt("binh", PASSWORD, HOME), now).await, Err(Refusal::Wrong));
    let id = door.access.log_in(attempt("an", PASSWORD, AWAY), now).await.expect("let in");
    let who = door.who(&id, now).await.expect("known");
    assert_eq!((who.name.as_str(), who.role, who.via), ("an", Role::Operator, Via::Session));
    assert_eq!(door.access.identify(&peer(HOME), None, now).await, None);
    assert_eq!(door.access.identify(&peer(HOME), Some("0"), now).await, None);
    assert_eq!(door.who(&id, now + LIFE).await, None);
    let id = door.access.log_in(attempt("an", PASSWORD, AWAY), now).await.expect("let in");
    door.access.log_out(id.expose()).await;
    assert_eq!(door.who(&id, now).await, None);
}

#[tokio::test]
async fn a_known_certificate_has_its_role_and_an_unknown_one_none() {
    let (door, now) = (Door::new().await, Instant::now());
    let of = |name: &str| Peer { address: HOME, certificate: Some(name.to_owned()) };
    let who = door.access.identify(&of("Trung tâm <IOC>"), None, now).await.expect("known");
    assert_eq!((who.role, who.via), (Role::Viewer, Via::Certificate));
    assert_eq!(door.access.identify(&of("an"), None, now).await, None, "an account's name is no certificate's");
}

#[tokio::test]
async fn changes_of_the_file_count_at_once_and_a_file_that_others_may_read_lets_nobody_in() {
    use std::os::unix::fs::PermissionsExt;
    let (mut door, now) = (Door::new().await, Instant::now());
    let id = door.access.log_in(attempt("an", PASSWORD, HOME), now).await.expect("let in");
    let other = door.access.log_in(attempt("binh", "another password", HOME), now).await.expect("let in");
    door.accounts.put(account("an", Role::Operator, "a password that is new"));
    door.write().await;
    assert_eq!(door.who(&id, now).await, None, "its password is another");
    assert!(door.who(&other, now).await.is_some());
    assert_eq!(door.access.log_in(attempt("an", PASSWORD, HOME), now).await, Err(Refusal::Wrong));
    let file = door.folder.path().join("accounts");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("mode");
    door.access.refresh().await;
    assert_eq!(door.who(&other, now).await, None);
    assert_eq!(door.access.log_in(attempt("binh", "another password", HOME), now).await, Err(Refusal::Wrong));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("mode");
    door.access.refresh().await;
    assert!(door.access.log_in(attempt("binh", "another password", HOME), now).await.is_ok());
}

#[tokio::test]
async fn after_failures_nothing_is_tried_until_the_pause_is_over() {
    let (door, mut now) = (Door::new().await, Instant::now());
    let mut waits = 0;
    for _ in 0..6 {
        match door.access.log_in(attempt("an", "wrong password", AWAY), now).await {
            Err(Refusal::Wrong) => {}
            Err(Refusal::Wait(wait)) => {
                waits += 1;
                let right = door.access.log_in(attempt("an", PASSWORD, AWAY), now).await;
                assert!(matches!(right, Err(Refusal::Wait(_))), "the right password waits too: {right:?}");
                now += wait;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(waits >= 2);
    let now = now + ACCOUNT_AT_MOST;
    assert!(door.access.log_in(attempt("an", PASSWORD, HOME), now).await.is_ok());
}

#[tokio::test]
async fn a_flood_of_log_ins_is_tried_one_at_a_time_and_turned_away_beyond_a_short_queue() {
    let (door, now) = (Arc::new(Door::new().await), Instant::now());
    let mut flood = tokio::task::JoinSet::new();
    for from in 0..40_u8 {
        let door = Arc::clone(&door);
        let address = IpAddr::from([10, 0, 0, from / 4]);
        flood.spawn(async move { door.access.log_in(attempt("an", "wrong password", address), now).await });
    }
    let (mut tried, mut busy) = (0, 0);
    while let Some(result) = flood.join_next().await {
        match result.expect("no panic") {
            Err(Refusal::Busy) => busy += 1,
            Err(Refusal::Wrong) => tried += 1,
            Err(Refusal::Wait(_)) => {}
            Ok(_) => panic!("let in"),
        }
    }
    assert!(tried <= QUEUE && busy >= 40 - QUEUE, "{tried} tried, {busy} turned away");
    assert!(door.access.queue.lock().expect("whole").is_empty(), "places are given back");
}

#[tokio::test]
async fn breaking_off_a_try_does_not_undo_its_failure() {
    let (door, now) = (Door::new().await, Instant::now());
    let broken_off = async {
        // The caller goes away while the password is being tried, or still waits for its turn.
        while !matches!(
            timeout(A_MOMENT, door.access.log_in(attempt("an", "wrong password", AWAY), now)).await,
            Ok(Err(Refusal::Wait(_)))
        ) {}
    };
    timeout(DEADLINE, broken_off).await.expect("each that was tried counts");
    let last = door.access.log_in(attempt("an", PASSWORD, AWAY), now).await;
    assert!(matches!(last, Err(Refusal::Wait(_))), "{last:?}");
}
