//! Runs the list for file systems on file systems with planted faults. Each fault must be caught, by a check that is
//! named here; the same file systems without a fault must pass.

#![cfg(unix)]

mod broken_file_system;
mod tree;

use broken_file_system::folder::{BrokenFolder, FolderFault};
use broken_file_system::memory::{Broken, Fault};
use sanserve_conformance::{FsCheck, FsReport};

/// The faults of a file system in memory, and a check that catches each.
const FAULTS: [(Fault, &str); 45] = [
    (Fault::ReadsFromStart, "reading/files"),
    (Fault::ReadsFromLastPosition, "reading/at any offset"),
    (Fault::SharesPosition, "reading/two open files"),
    (Fault::FailsPastEnd, "reading/at any offset"),
    (Fault::LosesLastByte, "reading/files"),
    (Fault::ReportsWholeBlocks, "reading/files"),
    (Fault::RoundsTimesUp, "reading/files"),
    (Fault::TakesDirectoryForMissing, "reading/directories"),
    (Fault::TakesMissingForBroken, "reading/missing names"),
    (Fault::FindsNamesByPrefix, "reading/missing names"),
    (Fault::FindsFileAboveName, "reading/missing names"),
    (Fault::ListsDots, "reading/listings"),
    (Fault::ListsTwice, "reading/listings"),
    (Fault::ListsNoDirectories, "reading/listings"),
    (
        Fault::ListsMissingAsEmpty,
        "reading/listings of other names",
    ),
    (Fault::TriesAndFindsNothing, "reading/files"),
    (Fault::TriesAndReadsNothing, "reading/files"),
    (
        Fault::ReopensAtPosition,
        "reading/a file that is opened again",
    ),
    (Fault::ReadsArchiveAsFile, "reading/an archive"),
    (Fault::ConvertsNames, "names/any bytes"),
    (Fault::FoldsLetterCase, "names/in another letter case"),
    (Fault::AllowsSpecialNames, "names/not portable"),
    (Fault::ListsSpecialNames, "names/not portable"),
    (Fault::ChecksLastNameOnly, "names/not portable"),
    (Fault::DropsDotAtEnd, "names/storing any bytes"),
    (Fault::CutsLongNames, "names/long"),
    (Fault::TakesOutsideForMissing, "links/out of the root"),
    (Fault::ListsBrokenLinks, "links/to nothing"),
    (Fault::WritesThroughLinks, "links/storing at a link"),
    (Fault::ShowsFileBeforeCommit, "storing/a file"),
    (Fault::KeepsAbandonedFile, "storing/an abandoned file"),
    (Fault::LeavesTemporaryName, "storing/an abandoned file"),
    (Fault::CountsPartialWriteInFull, "storing/in pieces"),
    (Fault::MixesFiles, "storing/several at once"),
    (Fault::OverwritesExistingFile, "storing/an existing name"),
    (
        Fault::ChecksNameOnlyAtFirst,
        "storing/one name twice at once",
    ),
    (Fault::CreatesAnyDirectory, "storing/missing directories"),
    (
        Fault::CreatesDirectoriesAtFirst,
        "storing/abandoned directories",
    ),
    (
        Fault::RemembersMissingNames,
        "storing/a name that was missing before",
    ),
    (
        Fault::RemembersListings,
        "storing/a name that was missing before",
    ),
    (
        Fault::StoresAsMuchAsFits,
        "storing/more than there is space for",
    ),
    (
        Fault::KeepsSpaceOfAbandonedFile,
        "storing/more than there is space for",
    ),
    (Fault::DoesNotTruncate, "replacing/a longer file"),
    (Fault::ReplacesAnyVersion, "replacing/an older version"),
    (Fault::HasOneVersion, "replacing/versions"),
];

/// The faults of a file system in a folder, and a check that catches each.
const FOLDER_FAULTS: [(FolderFault, &str); 7] = [
    (FolderFault::WaitsForFifo, "folder/a FIFO"),
    (
        FolderFault::RemembersContent,
        "folder/changed by another program",
    ),
    (FolderFault::FollowsLinks, "links/out of the root"),
    (
        FolderFault::HidesTemporaryFiles,
        "storing/an abandoned file",
    ),
    (FolderFault::WritesInPlace, "replacing/a file that is open"),
    (
        FolderFault::ReplacesTakenName,
        "folder/a name that another program takes",
    ),
    (FolderFault::KeepsModeOfProgram, "folder/permissions"),
];

/// Leaves out all checks but this one, or none.
fn except(name: &str) -> impl Fn(&FsCheck) -> Option<&'static str> {
    move |check| match check {
        // They have no faults of this kind.
        _ if check.changes => Some("changes"),
        _ => (!name.is_empty() && check.name != name).then_some("others"),
    }
}

fn in_memory(fault: Fault, check: &str) -> FsReport {
    FsReport::of_file_systems("broken", except(check), |check| Broken::new(check, fault))
}

fn in_folder(fault: FolderFault, check: &str) -> FsReport {
    let excludes = |found: &FsCheck| match found.space {
        0 => except(check)(found),
        _ => Some("a full disk"),
    };
    FsReport::of_folders("broken", excludes, |check, root| {
        BrokenFolder::new(check, root, fault)
    })
}

/// Returns the fault if it is not caught.
fn missed(fault: String, report: &FsReport) -> Option<String> {
    assert_eq!(report.checks, 1, "one check is named for {fault}");
    report
        .failures
        .iter()
        .for_each(|(check, problem)| println!("{fault}: {check}: {problem}"));
    report.passed().then_some(fault)
}

#[test]
fn every_fault_is_caught_by_the_check_that_is_named() {
    let memory = FAULTS
        .iter()
        .filter_map(|(fault, check)| missed(format!("{fault:?}"), &in_memory(*fault, check)));
    let folder = FOLDER_FAULTS
        .iter()
        .filter_map(|(fault, check)| missed(format!("{fault:?}"), &in_folder(*fault, check)));
    let missed: Vec<_> = memory.chain(folder).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn the_file_systems_without_a_fault_pass() {
    let report = in_memory(Fault::None, "");
    assert!(report.passed(), "\n{report}");
    let report = in_folder(FolderFault::None, "");
    assert!(report.passed(), "\n{report}");
}

#[test]
fn a_report_names_the_check_and_the_problem() {
    let report = in_memory(Fault::ListsDots, "reading/listings").to_string();
    assert!(
        report.starts_with("\nreading/listings\n    the listing of \"/\" has \"/.\"\n"),
        "{report}"
    );
    let last = report.lines().last().expect("a line");
    assert!(last.starts_with("broken: 1 of "), "{report}");
    assert!(
        last.contains(" checks apply, 1 failed; left out: "),
        "{report}"
    );
}
