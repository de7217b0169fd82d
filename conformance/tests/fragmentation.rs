//! Tests that every fragmentation divides exactly the bytes that it is given, and that a seed always gives
//! the same sizes.

use sanserve_conformance::{FRAGMENTATIONS, Fragmentation};

#[test]
fn sizes_add_up_with_every_fragmentation() {
    for fragmentation in FRAGMENTATIONS {
        let (mut sizes, mut left, mut count) = (fragmentation.sizes(), 1_200_126, 0);
        while left > 0 {
            let len = sizes.next_size(left);
            assert!((1..=left).contains(&len), "{fragmentation}");
            left -= len;
            count += 1;
        }
        assert_eq!(sizes.next_size(0), 0);
        match fragmentation {
            Fragmentation::Whole => assert_eq!(count, 1),
            Fragmentation::ByByte => assert_eq!(count, 1_200_126),
            Fragmentation::Seeded(_) => {
                assert!((50..10_000).contains(&count), "{fragmentation}: {count}");
            }
        }
    }
}

#[test]
fn a_seed_always_gives_the_same_sizes() {
    let lens = |seed| {
        let mut sizes = Fragmentation::Seeded(seed).sizes();
        (0..20).map(|_| sizes.next_size(1000)).collect::<Vec<_>>()
    };
    assert_eq!(lens(1), lens(1));
    assert!(lens(1) != lens(2) && lens(2) != lens(3) && lens(0) != lens(1));
    assert!(lens(7).iter().any(|&len| len < 30) && lens(7).iter().any(|&len| len > 30));
}
