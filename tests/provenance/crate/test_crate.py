import base64
import hashlib
import json
import re
import zipfile
from pathlib import Path

import yaml
from rocrate.rocrate import ROCrate
from user_errors import refused

from soco.cli import main
from soco.config import load_config
from soco.provenance.crate import export_crate
from soco.provenance.crate.build import PROFILES, TERMS
from soco.provenance.crate.holdings import pattern_of
from soco.provenance.reading import Run

CONTEXT = json.loads((Path(__file__).parent / "context.json").read_text())["@context"]
OWN = {"ro-crate-metadata.json", "ro-crate-preview.html"}
LARGE = "results/pretrain/soco/weights.safetensors"


def listed(value):
    return value if isinstance(value, list) else [value]


def ids(value):
    return [entry["@id"] for entry in listed(value)]


def test_it_is_read_back_by_the_library(crate):
    read = ROCrate(crate.folder)
    assert read.mainEntity.id == "Snakefile"
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= set(read.mainEntity.type)
    assert read.mainEntity["programmingLanguage"]["name"] == "Snakemake"
    assert {profile.id for profile in read.root_dataset["conformsTo"]} == set(PROFILES)


def test_every_file_is_described_and_every_described_file_exists(crate):
    files = {
        p.relative_to(crate.folder).as_posix() for p in crate.folder.rglob("*") if p.is_file()
    } - OWN
    described = {entity["@id"] for entity in crate.of_type("File")}
    described = {name for name in described if not name.startswith("ni:")}
    assert files == described
    assert {
        "rules/report.smk",
        "rules/captions/workflow.rst",
        "workflow_scripts/report.py",
        "soco/provenance/crate/build.py",
        "envs/requirements.lock",
    } <= files
    parts = ids(crate.by_id["./"]["hasPart"])
    assert described <= set(parts)
    for entity in crate.of_type("File"):
        path = crate.folder / entity["@id"]
        if path.is_file() and "sha256" in entity:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entity["sha256"]
            assert entity["contentSize"] == str(path.stat().st_size)


def test_every_reference_exists(crate):
    values = [
        value
        for entity in crate.graph
        for key, property_ in entity.items()
        if key[0] != "@"
        for value in listed(property_)
    ]
    references = {value["@id"] for value in values if isinstance(value, dict)}
    assert len(references) > 300
    lost = {reference for reference in references - set(crate.by_id) if "://" not in reference}
    assert lost == set()
    assert len(crate.by_id) == len(crate.graph)


def test_every_term_is_in_the_context(crate):
    terms = {key for entity in crate.graph for key in entity if key[0] != "@"}
    terms |= {kind for entity in crate.graph for kind in listed(entity["@type"])}
    assert terms - set(CONTEXT) == set(TERMS)


def test_a_job_is_an_action_with_its_inputs_and_outputs(crate):
    job = crate.run["jobs"][4]
    action = crate.by_id["#job-5"]
    assert action["@type"] == "CreateAction"
    assert action["name"] == "pretrain_model (run soco)"
    assert ids(action["instrument"]) == ["workflow_scripts/pretrain_model.py"]
    read, made = ([crate.by_id[one] for one in ids(action[key])] for key in ("object", "result"))
    assert [entity["name"] for entity in read] == job["inputs"]
    assert [entity["name"] for entity in made] == job["outputs"]
    assert (action["startTime"], action["endTime"]) == (
        "2026-11-23T10:04:00+00:00",
        "2026-11-23T10:04:30+00:00",
    )
    assert crate.by_id[action["resourceUsage"]["@id"]]["value"] == "512.25"


def test_the_run_has_all_inputs_and_outputs(crate):
    action = crate.by_id["#run"]
    given, made = (
        {crate.by_id[one]["name"] for one in ids(action[key])} for key in ("object", "result")
    )
    assert given == {
        "config.yaml",
        "seed",
        "data/images",
        "data/coco_train.json",
        "data/coco_val.json",
    }
    outputs = {path for job in crate.run["jobs"] for path in job["outputs"]}
    assert made == outputs | {"report.json", "report.html"}
    assert ids(action["instrument"]) == ids(crate.by_id["./"]["mainEntity"])
    assert action["startTime"] == crate.run["run"]["started"]
    engine_run = next(iter(crate.of_type("OrganizeAction")))
    assert len(ids(engine_run["object"])) == len(crate.run["jobs"])
    assert ids(engine_run["result"]) == ["#run"]


def test_parameters_and_their_examples_name_each_other(crate):
    parameters = crate.of_type("FormalParameter")
    assert len(parameters) == 5 + 12 + 2
    for parameter in parameters:
        for example in ids(parameter["workExample"]):
            assert parameter["@id"] in ids(crate.by_id[example]["exampleOfWork"])
    workflow = crate.by_id["Snakefile"]
    assert {*ids(workflow["input"]), *ids(workflow["output"])} == {
        parameter["@id"] for parameter in parameters
    }


def test_an_output_of_many_jobs_is_one_parameter():
    path = "finetune/coco/soco/seed_1/weights.pth"
    wildcards = {"task": "coco", "initialisation": "soco", "seed": "1"}
    assert pattern_of(path, wildcards) == "finetune/{task}/{initialisation}/seed_{seed}/weights.pth"
    assert pattern_of("convert/soco/detectron2_c4.pkl", {"pretrained": "soco", "kind": "c4"}) == (
        "convert/{pretrained}/detectron2_{kind}.pkl"
    )


def test_the_crate_contains_the_configuration_of_the_run(crate):
    assert yaml.safe_load((crate.folder / "config.yaml").read_text()) == crate.run["config"]
    assert load_config(crate.folder / "config.yaml").model_dump(mode="json") == crate.run["config"]


def test_a_large_file_is_described_by_its_digest(crate):
    assert not (crate.folder / LARGE).exists()
    entity = crate.named(LARGE)
    (made,) = [made for made in crate.run["artefacts"] if made["path"] == LARGE]
    assert entity["sha256"] == made["sha256"]
    assert entity["contentSize"] == str(made["bytes"])
    packed, place = re.fullmatch(r"ni:///sha-256;(.+)\?path=(.+)", entity["@id"]).groups()
    assert base64.urlsafe_b64decode(packed + "=").hex() == made["sha256"]
    assert place == LARGE


def test_it_says_that_the_code_is_not_that_of_the_run(crate):
    description = crate.by_id["./"]["description"]
    assert "the jobs ran commit 0123456789abcdef0123456789abcdef01234567" in description


def test_authors_licence_and_paper_come_from_the_citation_file(crate):
    about = crate.by_id["./"]
    assert ids(about["license"]) == ["https://spdx.org/licenses/MIT"]
    paper = crate.by_id[ids(about["citation"])[0]]
    assert paper["@id"] == "https://arxiv.org/abs/2106.02637"
    assert crate.by_id[ids(paper["author"])[0]]["name"] == "Fangyun Wei"


def test_the_zip_has_the_same_bytes_each_time_and_the_files_of_the_folder(crate, tmp_path):
    folder = crate.run.path.parents[2]
    archives = [tmp_path / "one.zip", tmp_path / "two.zip"]
    for archive in archives:
        assert export_crate(crate.run, folder, archive).described == 1
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    files = [path for path in crate.folder.rglob("*") if path.is_file()]
    assert contents == {
        path.relative_to(crate.folder).as_posix(): path.read_bytes() for path in files
    }


def test_weights_are_packed_on_request(run, tmp_path, capsys):
    assert main(["export-crate", str(run.path), str(tmp_path / "small")]) == 0
    assert "11 files of the run; 1 more" in capsys.readouterr().out
    assert main(["export-crate", str(run.path), str(tmp_path / "whole"), "--with-weights"]) == 0
    assert "12 files of the run." in capsys.readouterr().out
    assert (tmp_path / "whole" / LARGE).read_bytes() == (tmp_path / "run" / LARGE).read_bytes()


def test_a_changed_file_is_refused(run, tmp_path):
    path = tmp_path / "run/results/proposals/summary.json"
    path.write_text("{}")
    with refused("crate.file_changed", path=path):
        export_crate(run, tmp_path / "run", tmp_path / "crate")
    assert not (tmp_path / "crate").exists()


def test_a_missing_file_is_refused(run, tmp_path):
    with refused("crate.file_missing"):
        export_crate(run, tmp_path / "elsewhere", tmp_path / "crate.zip")
    assert not (tmp_path / "crate.zip").exists()


def test_a_folder_that_is_not_empty_is_refused(run, tmp_path):
    with refused("crate.output_exists", path=tmp_path / "run"):
        export_crate(run, tmp_path / "run", tmp_path / "run")


def test_a_package_without_the_workflow_is_refused(run, tmp_path):
    with refused("crate.no_snakefile", root=tmp_path):
        export_crate(run, tmp_path / "run", tmp_path / "crate", root=tmp_path)


def test_results_are_in_results_in_every_crate(written, tmp_path):
    report = written.write_run(tmp_path / "run")
    (tmp_path / "run/results").rename(tmp_path / "run/out")
    text = (
        json.dumps(report)
        .replace('"results/', '"out/')
        .replace('"results": "results"', '"results": "out"')
    )
    path = tmp_path / "run/out/report/report.json"
    path.write_text(text)
    assert main(["export-crate", str(path), str(tmp_path / "crate")]) == 0
    assert (tmp_path / "crate/results/proposals/summary.json").is_file()


def test_folders_are_described_and_data_that_the_run_made_are_outputs(written, tmp_path):
    report = written.write_run(tmp_path / "run")
    made = {"path": "data/images", "bytes": 9, "files": 480, "sha256": "77" * 32, "job": 7}
    job = report["jobs"][0] | {"rule": "demo_data", "inputs": [], "outputs": ["data/images"]}
    report["jobs"].append(job)
    report["artefacts"].append(made)
    export_crate(
        Run(tmp_path / "run/results/report/report.json", report),
        tmp_path / "run",
        tmp_path / "crate",
    )
    graph = json.loads((tmp_path / "crate/ro-crate-metadata.json").read_text())["@graph"]
    (entity,) = [
        entity for entity in graph if entity.get("name") == "data/images" and "sha256" in entity
    ]
    by_id = {entry["@id"]: entry for entry in graph}
    assert entity["@type"] == "Dataset"
    assert entity["@id"].endswith("?path=data/images/")
    assert entity["@id"] in ids(by_id["#run"]["result"])
    assert entity["@id"] not in ids(by_id["#run"]["object"])
