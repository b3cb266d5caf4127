//! What a rule of each kind is unless its site file says otherwise, and why.

use std::time::Duration;

use super::{RuleParams, Size};
use crate::ground::{Length, Speed};
use crate::measure::MeasureParams;
use crate::zone::ZoneKind;

/// Defaults; where two are given, the second is for calibrated cameras.
impl RuleParams {
    /// Line crossing: `hysteresis`. A filtered box jitters by a few hundredths of its height.
    pub const HYSTERESIS: f64 = 0.1;
    /// Intrusion: `hold`. Raising it spares those who cut a corner; it costs that much time to the alert.
    pub const INTRUSION_HOLD: Duration = Duration::from_secs(1);
    /// Loitering: `dwell`. Raising it spares those who wait for someone; it costs that much time to the alert.
    pub const LOITERING_DWELL: Duration = Duration::from_secs(60);
    /// Crowding: `count`. Raising it spares families and bus queues; it costs small crowds.
    pub const CROWDING_COUNT: u32 = 10;
    /// Crowding: `hold`. Raising it spares groups that pass; it costs that much time to the alert.
    pub const CROWDING_HOLD: Duration = Duration::from_secs(10);
    /// Wrong way: `angle_deg`. Raising it spares turning and lane changes; it costs drives across the lane.
    pub const WRONG_WAY_ANGLE_DEG: f64 = 120.0;
    /// Wrong way: `distance`. Raising it spares reversing and boxes that jump; it costs short drives and time.
    pub const WRONG_WAY_DISTANCE: Length = Length::heights(3.0);
    /// The same on the ground.
    pub const WRONG_WAY_DISTANCE_ON_GROUND: Length = Length::metres(8.0);
    /// Wrong way: `hold`; less than one second is as one second. Raising it spares tracks that swap; it costs time.
    pub const WRONG_WAY_HOLD: Duration = Duration::from_millis(1500);
    /// Stopped vehicle: `speed`. Raising it finds what creeps; it costs a hold that restarts less when traffic crawls.
    pub const STOPPED_SPEED: Speed = Speed::heights_per_s(0.1);
    /// The same on the ground.
    pub const STOPPED_SPEED_ON_GROUND: Speed = Speed::km_per_h(3.0);
    /// Stopped vehicle: `travel`. Raising it spares parked vehicles whose boxes jump; it costs vehicles that come into
    /// view only just before they stop.
    pub const STOPPED_TRAVEL: Length = Length::heights(2.0);
    /// The same on the ground.
    pub const STOPPED_TRAVEL_ON_GROUND: Length = Length::metres(5.0);

    /// Stopped vehicle: `hold` by the kind of zone: 30 s on the shoulder, 10 s elsewhere. Raising it spares stops at signals
    /// (there it must be longer than the red) and for passengers; it costs that much time to the alert.
    #[must_use]
    pub const fn stopped_hold(kind: ZoneKind) -> Duration {
        match kind {
            ZoneKind::Shoulder => Duration::from_secs(30),
            _ => Duration::from_secs(10),
        }
    }

    /// Stopped vehicle: `at_start`. Raising it spares those who only wait when the box starts; it costs that much time to
    /// the word about those who do not.
    pub const STOPPED_AT_START: Duration = Duration::from_secs(60);
    /// Congestion: `occupancy`. Raising it spares dense traffic that flows; it costs jams with wide gaps.
    pub const CONGESTION_OCCUPANCY: f64 = 0.35;
    /// Congestion: `speed`. Raising it finds what crawls; it costs alerts for traffic that is merely slow.
    pub const CONGESTION_SPEED: Speed = Speed::heights_per_s(0.7);
    /// The same on the ground.
    pub const CONGESTION_SPEED_ON_GROUND: Speed = Speed::km_per_h(20.0);
    /// Congestion: `hold`. Raising it spares queues at a signal (there it must be longer than the red); it costs that much time.
    pub const CONGESTION_HOLD: Duration = Duration::from_secs(60);
    /// Congestion: `clear`. Raising it joins jams that dissolve and form again; it costs that much time to the `end`.
    pub const CONGESTION_CLEAR: Duration = Duration::from_secs(120);
    /// Queue spill-back: `gap`. Raising it bridges vehicles that are not seen; it joins queues that are two.
    pub const SPILLBACK_GAP: Length = MeasureParams::QUEUE_GAP;
    /// The same on the ground.
    pub const SPILLBACK_GAP_ON_GROUND: Length = MeasureParams::QUEUE_GAP_ON_GROUND;
    /// Queue spill-back: `hold`. Raising it spares queues that are about to move; it costs that much time to the alert.
    pub const SPILLBACK_HOLD: Duration = Duration::from_secs(30);
    /// Flow drop: `ratio`. Raising it finds lesser drops; it costs alerts for chance.
    pub const FLOW_DROP_RATIO: f64 = 0.5;
    /// Flow drop: `baseline`. Raising it steadies what is usual; it costs that much time before the first judgement.
    pub const FLOW_DROP_BASELINE: Duration = Duration::from_secs(900);
    /// Flow drop: `window`. Raising it spares lulls (a signal's cycles, chance); it costs time to the alert.
    pub const FLOW_DROP_WINDOW: Duration = Duration::from_secs(180);
    /// Flow drop: `min_flow`, in vehicles a minute. Raising it spares quiet hours; it costs drops on quiet roads. With 15 a minute,
    /// 45 are expected in the window, and half of that comes by chance about once in 5,000 windows (Poisson).
    pub const FLOW_DROP_LEAST: f64 = 15.0;

    /// Pedestrian on the carriageway: `hold`. Raising it spares those who step off the kerb; it costs time.
    pub const PEDESTRIAN_HOLD: Duration = Duration::from_secs(2);
    /// Illegal parking: `hold`. Raising it spares those who let someone out; it costs that much time to the alert.
    pub const PARKING_HOLD: Duration = Duration::from_secs(120);
    /// Forbidden class: `hold`. Raising it spares those who only cross the lane; it costs that much time to the alert.
    pub const FORBIDDEN_CLASS_HOLD: Duration = Duration::from_secs(3);
    /// Slow vehicle: `factor`. Raising it finds the less slow, and the cautious with them.
    pub const SLOW_FACTOR: f64 = 0.4;
    /// Slow vehicle: `flow`. Raising it makes the lane's speed surer; it costs quiet hours, in which none is known.
    pub const SLOW_FLOW: u32 = 10;
    /// Slow vehicle: `distance`. Raising it spares those who brake for something; it costs time and short zones.
    pub const SLOW_DISTANCE: Length = Length::heights(3.0);
    /// The same on the ground.
    pub const SLOW_DISTANCE_ON_GROUND: Length = Length::metres(10.0);
    /// Slow vehicle: `hold`. Raising it spares those who look for a place or brake; it costs that much time to the alert.
    pub const SLOW_HOLD: Duration = Duration::from_secs(5);
    /// Over speed: `tolerance`. Raising it spares those who are hardly too fast; it costs just them.
    pub const SPEED_TOLERANCE: f64 = 0.2;
    /// Forbidden turn: `within`. Raising it finds those who wait in the junction; it costs vehicles that come back.
    pub const TURN_WITHIN: Duration = Duration::from_secs(30);
    /// Red light: `grace`. Raising it spares those who could not stop any more; it costs just them.
    pub const RED_GRACE: Duration = Duration::from_secs(1);
    /// Red light: `hysteresis`. Raising it spares those who stop beyond the line; it costs vehicles that are hidden soon
    /// after it.
    pub const RED_HYSTERESIS: f64 = 0.5;
    /// Road obstacle, abandoned and removed object: `size`. Raising it spares leaves, puddles and noise; it costs small
    /// things. Less than three of the view's 160 pixels a row cannot be told from noise.
    pub const THING_SIZE: Size = Size::Share(0.02);
    /// The same on the ground.
    pub const THING_SIZE_ON_GROUND: Size = Size::Metres(0.3);
    /// Road obstacle: `hold`. Raising it spares what is picked up again and vehicles that nobody recognises; it costs that
    /// much time to the alert.
    pub const OBSTACLE_HOLD: Duration = Duration::from_secs(20);
    /// Abandoned object: `hold`. Raising it spares those who put something down for a moment; it costs that much time.
    pub const ABANDONED_HOLD: Duration = Duration::from_secs(60);
    /// Abandoned object: `distance`. Raising it spares those who stand aside; it costs things left where people pass.
    pub const ABANDONED_DISTANCE: Length = Length::heights(1.5);
    /// The same on the ground.
    pub const ABANDONED_DISTANCE_ON_GROUND: Length = Length::metres(3.0);
    /// Removed object: `hold`. Raising it spares what is moved and put back; it costs that much time to the alert.
    pub const REMOVED_HOLD: Duration = Duration::from_secs(30);
    /// What is away for longer is no longer remembered: `hold` of a removed object is at most this.
    pub const REMOVED_HOLD_MOST: Duration = Duration::from_secs(300);
    /// Collision: `score`. Raising it asks for more signs at once; it costs collisions of which one is not seen.
    pub const COLLISION_SCORE: f64 = 0.7;
    /// Collision: `hold`. Raising it spares a stop-and-go that looked like one; it costs that much time to the alert.
    pub const COLLISION_HOLD: Duration = Duration::from_secs(5);
}
