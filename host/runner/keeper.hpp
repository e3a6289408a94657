#pragma once

namespace jobhost::runner {

/// `jobhost-runner --keep[=FD]`: starts one program for a job and sees to it that nothing of it stays.
/// docs/protocol.md, "Programs", says what it speaks on its control socket (FD, else 3); 0, 1 and 2 are the program's.
///
/// Why a process of its own: what a program started and left is found only by who it is handed to when its parent dies,
/// a subreaper. The keeper is one for this program alone, in a session of its own, so that no signal meant for the
/// runner ends it first; it has one thread, so that its program's PDEATHSIG means its end; and it sees the end of
/// runner and host as the end of its socket, whichever way they end.
///
/// Returns never.
[[noreturn]] void keepProgram(int control_fd);

}  // namespace jobhost::runner
