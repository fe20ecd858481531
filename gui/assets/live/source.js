// Where frames come from: a camera or a video file, played in a <video>, and copied from it when there is room for one.

// An error with the key of the sentence that the visitor is told.
export class SourceError extends Error {
  constructor(key) {
    super(key);
    this.key = key;
  }
}

const CAMERA_ERRORS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "no_camera",
  OverconstrainedError: "no_camera",
  NotReadableError: "busy",
  AbortError: "busy",
};

// Every camera, [{id, name}]. Before the visitor has allowed one, browsers tell neither ids nor names: none is given.
export async function cameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const found = devices.filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
  return found.map(({ deviceId, label }, i) => ({ id: deviceId, name: label || `${i + 1}` }));
}

export class Source {
  // video: a <video> of the page. onFrame is called for each new picture, onEnd(key) when the camera has gone.
  constructor(video, onFrame, onEnd) {
    this.video = video;
    this.onFrame = onFrame;
    this.onEnd = onEnd;
    this.given = 0; // pictures that the camera or file gave
    this.at = 0; // when the newest of them came, by performance.now()
    this.url = null;
    this.tracks = [];
    this.isClosed = false;
    this.watch = 0; // counts watchers, so that one of an earlier start ends
  }

  // id: of the camera, as `cameras` gives it; "" for the one that looks away from the visitor, or any.
  async openCamera(id) {
    // Browsers hide cameras from pages that came over plain HTTP from another machine.
    if (!navigator.mediaDevices?.getUserMedia) throw new SourceError(window.isSecureContext ? "no_camera" : "insecure");
    const which = id ? { deviceId: { exact: id } } : { facingMode: { ideal: "environment" } };
    const wanted = { width: { ideal: 1920 }, height: { ideal: 1080 }, ...which };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    } catch (error) {
      throw new SourceError(CAMERA_ERRORS[error.name] ?? "busy");
    }
    this.tracks = stream.getVideoTracks();
    if (this.isClosed) return this.close(); // something else was started while the visitor was asked
    for (const track of this.tracks) track.onended = () => this.onEnd("unplugged");
    this.video.owner = this;
    this.video.srcObject = stream;
    await this.play();
  }

  // Of the open camera; "" for a file.
  get cameraId() {
    return this.tracks[0]?.getSettings().deviceId ?? "";
  }

  async openFile(file) {
    this.video.owner = this;
    this.url = URL.createObjectURL(file);
    this.video.src = this.url;
    this.video.loop = true;
    await this.play();
  }

  async play() {
    try {
      await this.video.play();
    } catch (error) {
      if (error.name === "AbortError") return; // stopped meanwhile
      this.close();
      throw new SourceError("no_video");
    }
    this.observe(++this.watch);
  }

  observe(watcher) {
    const seen = (now, presented) => {
      if (watcher !== this.watch) return;
      this.given += presented;
      this.at = now;
      this.onFrame();
    };
    if (this.video.requestVideoFrameCallback) {
      let before = null;
      const next = (now, { presentedFrames }) => {
        const presented = before === null ? 1 : Math.max(1, presentedFrames - before);
        before = presentedFrames;
        seen(now, presented);
        if (watcher === this.watch) this.video.requestVideoFrameCallback(next);
      };
      this.video.requestVideoFrameCallback(next);
      return;
    }
    let before = -1;
    const next = (now) => {
      if (this.video.currentTime !== before) {
        before = this.video.currentTime;
        seen(now, 1);
      }
      if (watcher === this.watch) requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }

  // The picture that is shown now, not wider than `width`, as an ImageBitmap.
  picture(width) {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth <= width) return createImageBitmap(this.video);
    const resizeHeight = Math.max(1, Math.round((videoHeight * width) / videoWidth));
    return createImageBitmap(this.video, { resizeWidth: width, resizeHeight, resizeQuality: "medium" });
  }

  // Hold a file where it is; a camera is let go instead: its light goes out.
  pause() {
    this.watch++;
    this.video.pause();
  }

  // For good. The <video> is left alone where a newer source has it already.
  close() {
    this.isClosed = true;
    this.watch++;
    for (const track of this.tracks) {
      track.onended = null;
      track.stop();
    }
    this.tracks = [];
    if (this.video.owner !== this) return;
    this.video.owner = null;
    this.video.pause();
    this.video.srcObject = null;
    if (this.url !== null) {
      this.video.removeAttribute("src");
      this.video.load();
      URL.revokeObjectURL(this.url);
      this.url = null;
    }
  }
}
