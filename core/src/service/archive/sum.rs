//! [`Hasher`]: computes the CRC-32 of an archive's entry. On bare metal it is slower and smaller.

#[cfg(not(target_os = "none"))]
pub(super) use crc32fast::Hasher;

#[cfg(target_os = "none")]
pub(super) use small::Hasher;

/// The slower algorithm, with a table of 1 KiB instead of 16 KiB.
#[cfg(target_os = "none")]
mod small {
    use core::fmt;

    use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

    static CRC_32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

    #[derive(Clone)]
    pub(in super::super) struct Hasher(Digest<'static, u32, Table<1>>);

    impl Hasher {
        pub(in super::super) fn new() -> Hasher {
            Hasher(CRC_32.digest())
        }

        pub(in super::super) fn update(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        pub(in super::super) fn finalize(self) -> u32 {
            self.0.finalize()
        }
    }

    impl fmt::Debug for Hasher {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.debug_struct("Hasher").finish_non_exhaustive()
        }
    }
}
