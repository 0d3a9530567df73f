"""The service `audio`: what is said in recordings."""

from api.ml_service import MLService
from api.rescuebox_schema import InputSchema, InputType, TaskSchema

audio = MLService("audio")
audio.add_app_metadata(
    name="Audio Transcription",
    version="1.0.0",
    author="aafai-bus",
    info="Writes down what is said in recordings, in English, without sending them anywhere.",
)
audio.add_ml_service(
    rule="/transcribe",
    ml_function="transcribe_audio",
    task_schema=TaskSchema(
        inputs=[
            InputSchema(
                key="input_dir",
                label="Folder of the recordings",
                subtitle="Below one of AAFAI_MEDIA_DIRS: WAV, FLAC, MP3 or Ogg Vorbis",
                input_type=InputType.DIRECTORY,
            )
        ]
    ),
    short_title="Transcribe audio files",
    order=0,
    is_async=True,
    packages=["pocketsphinx", "miniaudio"],
    install="Run .venv/bin/pip install -r requirements-audio.txt where the bus runs.",
)
