"""Faults of machines, disks and networks, injected; what the suite does of each:

| fault | outcome |
| --- | --- |
| full disk | the older file stays whole, nothing half-written is left, one sentence names the file: free some space, go on |
| read-only run store | told before anything is trained or evaluated |
| a loader process is killed | a training or packing ends with a sentence on `workers`; the same command goes on |
| a rank dies or fails | the others end within a minute and point to its message |
| a rank hangs, or never comes | the others give up after `cluster.patience` |
| W&B does not answer, or goes away | the job goes on; one warning with the command that sends the run later |
| a disk with faces vanishes | one sentence with the path, even with `data.on_damaged=skip`; a storage is asked again |
| a disk with faces is slow | waited for; nothing changes |
| the clock is set back | the run or record made last stays the newest; no negative time or rate is shown |
| records of incompatible packages | the rarer ones stand apart with the versions; compatible differences are a note |

A checkpoint that is damaged is a matter of tests/jobs/test_checkpoint_files.py.
"""
