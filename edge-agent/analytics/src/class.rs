//! What an object is: the closed list of classes that rules can name.

use std::fmt;

/// A class of road user or security object. A model's labels map onto these; other labels are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// On foot, or riding (see [`Track::rider_of`](crate::Track::rider_of)).
    Person,
    /// Bicycle.
    Bicycle,
    /// Car, taxi, pick-up, van.
    Car,
    /// Motorcycle, moped, scooter.
    Motorcycle,
    /// Bus, coach.
    Bus,
    /// Truck, lorry.
    Truck,
}

impl Class {
    /// Every class, in the order of their COCO numbers.
    pub const ALL: [Self; 6] = [Self::Person, Self::Bicycle, Self::Car, Self::Motorcycle, Self::Bus, Self::Truck];

    /// The word used in files and on the wire.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bicycle => "bicycle",
            Self::Car => "car",
            Self::Motorcycle => "motorcycle",
            Self::Bus => "bus",
            Self::Truck => "truck",
        }
    }

    /// The class with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.label() == label)
    }

    /// The class's number in COCO's 80-class order (0-based), as written to MOT files.
    #[must_use]
    pub const fn coco_id(self) -> u32 {
        match self {
            Self::Person => 0,
            Self::Bicycle => 1,
            Self::Car => 2,
            Self::Motorcycle => 3,
            Self::Bus => 5,
            Self::Truck => 7,
        }
    }

    /// Motorcycle or bicycle: what a rider rides.
    #[must_use]
    pub const fn is_two_wheeler(self) -> bool {
        matches!(self, Self::Bicycle | Self::Motorcycle)
    }

    /// Anything but a person.
    #[must_use]
    pub const fn is_vehicle(self) -> bool {
        !matches!(self, Self::Person)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassSet(u8);

impl ClassSet {
    /// No class.
    pub const EMPTY: Self = Self(0);

    /// All classes but `person`.
    #[must_use]
    pub fn vehicles() -> Self {
        Class::ALL.into_iter().filter(|class| class.is_vehicle()).collect()
    }

    /// Whether `class` is in the set.
    #[must_use]
    pub const fn contains(self, class: Class) -> bool {
        self.0 & (1 << class as u8) != 0
    }

    /// The classes in the set, in COCO order.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.contains(*class))
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Class> for ClassSet {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        Self(classes.into_iter().fold(0, |set, class| set | 1 << class as u8))
    }
}

impl fmt::Debug for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_round_trip() {
        for class in Class::ALL {
            assert_eq!(Class::from_label(class.label()), Some(class));
        }
        assert_eq!(Class::from_label("Person"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: ClassSet = [Class::Truck, Class::Person].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Class::Person, Class::Truck]);
        assert!(ClassSet::EMPTY.is_empty());
        assert!(!ClassSet::vehicles().contains(Class::Person));
    }
}
