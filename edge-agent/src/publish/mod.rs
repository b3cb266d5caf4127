//! To the operations centre over MQTT.
