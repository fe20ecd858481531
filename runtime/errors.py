"""Every error that roadmask raises on purpose.

    RoadmaskError
    ├── FrameError              something is wrong with a frame that was handed in
    │   ├── FrameUndecodable    the bytes are not an image, or a broken one
    │   └── FrameTooLarge       more bytes or pixels than the limits allow
    ├── DataInvalid             a labelled folder, a mask or a run folder is not what it should be
    ├── ModelInvalid            a model file's contract is missing, unknown or contradicts its graph
    ├── ModelNotFound           no model of that name
    ├── ProviderUnavailable     an execution provider is not installed, unknown, or runs no node
    └── NotScheduled            a job was not worked on; the same one may be later
        ├── QueueFull           every place is taken
        ├── Stopping            no job is taken any more
        └── DeadlinePassed      its deadline passed before inference began

The message is one sentence for the person who made the mistake: what was wrong, and what would be right.
Nothing here knows of HTTP: `api/errors.py` holds the table from these to status codes.
"""


class RoadmaskError(Exception):
    """The root of the tree: catch it to catch them all."""


class FrameError(RoadmaskError):
    """A frame can't be used."""


class FrameUndecodable(FrameError):
    """The bytes are no image that we read, or the image is truncated or corrupt."""


class FrameTooLarge(FrameError):
    """The frame exceeds a limit on bytes or pixels; told before any pixel is decoded."""


class DataInvalid(RoadmaskError):
    """A labelled folder, a mask or a run folder is missing, empty or malformed."""


class ModelInvalid(RoadmaskError):
    """A model file can't be trusted to do what its contract says."""


class ModelNotFound(RoadmaskError):
    """No model of the asked name is there."""


class ProviderUnavailable(RoadmaskError):
    """An execution provider that was asked for does not run here."""


class NotScheduled(RoadmaskError):
    """A job was not worked on."""


class QueueFull(NotScheduled):
    """Every place in the queue is taken."""


class Stopping(NotScheduled):
    """Admission has ended."""


class DeadlinePassed(NotScheduled):
    """A job's deadline passed before its inference began."""
