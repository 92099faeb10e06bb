"""CLR-Face's restorers from the files of runs: which are found, and networks that do not belong together."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from src.checkpoints.catalogue import CATALOGUE
from src.checkpoints.clr_face_facts import GUIDE_FACT
from src.checkpoints.network_file import load_network, save_network
from src.networks.recogniser import Recogniser
from src.restorers import locate, published_guide
from src.restorers.build_clr_face import load_clr_face
from src.restorers.chosen import ChosenRestorer, Setting
from src.restorers.locate import resolve_checkpoints
from src.restorers.published_guide import with_published_guide
from src.settings.errors import UserError
from src.settings.scale import RecogniserSize
from tests.restorers.small_clr_face import SDE, SIDE, clr_face, faces, guided, sampling, save_run, small_networks

CPU = torch.device("cpu")
KEYS = [0, 1, 2]
SCORE_RUN = ("latent_score", "latent_autoencoder", "latent_encoder")


@pytest.fixture(scope="module")
def mask_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(tmp_path_factory.mktemp("run"))


def found(restorer: str, checkpoint: Path | str) -> dict[str, Path]:
    return resolve_checkpoints(restorer, str(checkpoint), None)


def test_a_run_gives_the_restorer_of_its_networks(mask_run: Path) -> None:
    files = found("clr_face", mask_run)
    assert set(files) == {path.stem for path in (mask_run / "weights").iterdir()}
    assert next(iter(files)) == "latent_mask"
    for chosen in (guided(), sampling()):
        restorer = ChosenRestorer("clr_face", files).built(Setting(latent_sampling=chosen), CPU)
        assert torch.equal(restorer.restore(faces(), KEYS), clr_face(chosen).restore(faces(), KEYS))


@pytest.mark.parametrize("mask", ["global", "adaptive"])
def test_process_condition_and_mask_are_those_of_the_files(tmp_path: Path, mask: str) -> None:
    sde = replace(SDE, kind="ve")
    folder = save_run(tmp_path, sde=sde, mask=mask, sees_recovered=True)
    chosen = guided(mask="learned_hard")
    restorer = ChosenRestorer("clr_face", found("clr_face", folder)).built(Setting(latent_sampling=chosen), CPU)
    expected = clr_face(chosen, small_networks(sde, mask, sees_recovered=True))
    assert torch.equal(restorer.restore(faces(), KEYS), expected.restore(faces(), KEYS))


def test_a_run_of_the_score_model_restores_unguided(tmp_path: Path) -> None:
    folder = save_run(tmp_path, SCORE_RUN)
    for checkpoint in (folder, folder / "weights" / "latent_score.safetensors"):
        chosen = ChosenRestorer("clr_face", found("clr_face", checkpoint))
        assert set(chosen.files) == set(SCORE_RUN)
        restorer = chosen.built(Setting(latent_sampling=sampling()), CPU)
        assert torch.equal(restorer.restore(faces(), KEYS), clr_face(sampling()).restore(faces(), KEYS))
        with pytest.raises(UserError, match=r"guidance\.scale: 0\.3 needs the recogniser that guides"):
            chosen.built(Setting(latent_sampling=guided()), CPU)


def test_the_single_stage_is_encoder_and_decoder(mask_run: Path) -> None:
    files = found("clr_face_encoder", mask_run)
    assert set(files) == {"latent_encoder", "latent_autoencoder"}
    restorer = ChosenRestorer("clr_face_encoder", files).built(Setting(), CPU)
    networks = small_networks()
    with torch.no_grad():
        expected = networks.autoencoder.decoded(networks.encoder(faces())).clamp(-1, 1)
    assert torch.equal(restorer.restore(faces()), expected)
    assert (restorer.name, restorer.image_size, restorer.knobs) == ("clr_face_encoder", SIDE, {})
    assert restorer.network_evaluations == 2
    with pytest.raises(UserError, match="takes square faces of a multiple of 4 px, not 18 x 18"):
        restorer.restore(faces(1, 18))


def test_the_identity_recovery_is_a_restorer_unless_it_gives_embeddings(mask_run: Path, tmp_path: Path) -> None:
    files = found("identity_recovery", mask_run)
    assert set(files) == {"identity_recovery"}
    restorer = ChosenRestorer("identity_recovery", files).built(Setting(), CPU)
    with torch.no_grad():
        assert torch.equal(restorer.restore(faces()), small_networks().recovery(faces()))
    assert restorer.restore(faces(1, 32)).shape == (1, 3, 32, 32)
    size = RecogniserSize(input_size=SIDE, width=8, embedding_dim=8)
    path = tmp_path / "identity_recovery.safetensors"
    save_network(path, "recogniser", Recogniser(size), {"recogniser": asdict(size)}, {})
    embedding = ChosenRestorer("identity_recovery", {"identity_recovery": path})
    with pytest.raises(UserError, match=r"recovers embeddings alone.*identity_recovery\.output=image"):
        embedding.built(Setting(), CPU)


@pytest.mark.parametrize("restorer", ["clr_face", "clr_face_encoder", "identity_recovery"])
def test_what_cannot_be_found_is_named_with_the_command_that_makes_it(restorer: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the authors published no weights of this method; train one with"):
        found(restorer, "published")
    with pytest.raises(UserError, match=r"checkpoint: the folder .* holds no weights/.*python -m src\.train stage="):
        found(restorer, tmp_path)
    with pytest.raises(UserError, match=r"checkpoint: nowhere does not exist; .*python -m src\.train stage="):
        found(restorer, "nowhere")


@pytest.mark.parametrize("lacking", ["latent_score", "latent_autoencoder", "latent_encoder"])
def test_networks_that_lie_no_longer_together_are_named(lacking: str, mask_run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(mask_run, tmp_path / "run")
    (folder / "weights" / f"{lacking}.safetensors").unlink()
    with pytest.raises(UserError, match=rf"checkpoint: .*holds no {lacking}\.safetensors, which belongs to"):
        load_clr_face(found("clr_face", folder), CPU)


def test_files_that_hold_something_else_are_named(mask_run: Path, tmp_path: Path) -> None:
    files = found("clr_face", mask_run)
    for name, sentence in (
        ("latent_score", "holds a latent_encoder, and a LatentScoreUnet is needed"),
        ("latent_mask", "holds a latent_encoder, and a latent mask is needed"),
        ("guide", "holds a latent_encoder, and a recogniser is needed"),
        ("identity_recovery", "holds a latent_encoder, and an identity recovery is needed"),
    ):
        with pytest.raises(UserError, match=sentence):
            load_clr_face(files | {name: files["latent_encoder"]}, CPU)
    folder = save_run(tmp_path, SCORE_RUN, sees_recovered=True)
    with pytest.raises(UserError, match=r"is told the recovered face's latent, but .* is not there"):
        load_clr_face(found("clr_face", folder), CPU)


def test_bundled_runs_are_found_by_any_of_their_networks(
    mask_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "BUNDLED", tmp_path)
    with pytest.raises(UserError, match="no latent_score weights are bundled with this copy; train one with"):
        found("clr_face", "bundled")
    score = save_run(tmp_path / "latent_score" / "tiny64-s0-aaaa", SCORE_RUN)
    assert found("clr_face", "bundled")["latent_score"].parents[1] == score
    mask = shutil.copytree(mask_run, tmp_path / "latent_mask" / "tiny64-s0-bbbb")
    for text in ("bundled", "bundled/tiny64"):
        assert found("clr_face", text)["latent_mask"].parents[1] == mask
    assert found("clr_face", "bundled/tiny64-s0-aaaa")["latent_score"].parents[1] == score
    assert found("clr_face_encoder", "bundled")["latent_autoencoder"].parents[1] == score
    assert found("identity_recovery", "bundled")["identity_recovery"].parents[1] == mask


def test_a_published_guide_is_the_one_that_the_mask_names(
    mask_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(mask_run, tmp_path / "run")
    weights = folder / "weights"
    (weights / "guide.safetensors").unlink()
    files = found("clr_face", folder)
    assert with_published_guide(files, None) == files, "an unnamed guide cannot be found"
    loaded = load_network(files["latent_mask"])
    save_network(files["latent_mask"], loaded.kind, loaded.network, loaded.settings, {GUIDE_FACT: "mobilefacenet"})
    path = tmp_path / CATALOGUE["mobilefacenet"].file
    monkeypatch.setattr(
        published_guide, "find_weights", lambda name, weights_dir: path if name == "mobilefacenet" else None
    )
    guide, asked = small_networks().guide, []
    monkeypatch.setattr(
        published_guide,
        "build_identity_loss",
        lambda weights_dir, trained, network, key: (asked.append((weights_dir, network)), guide)[1],
    )
    path.write_bytes(b"published")
    complete = with_published_guide(files, None)
    assert complete == files | {"guide": path}
    assert load_clr_face(complete, CPU).guide is guide
    assert asked == [(str(tmp_path), "mobilefacenet")]
