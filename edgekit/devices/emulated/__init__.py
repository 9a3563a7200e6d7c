"""An ARM64 board without hardware: Debian's userland under QEMU's user emulation, reached over a real sshd."""
