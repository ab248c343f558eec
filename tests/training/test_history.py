"""history.csv goes and comes back."""

from mdaug.training.history import Epoch, History


def test_history_is_written_and_read(tmp_path):
    history = History()
    history.append(Epoch(1, 1e-3, 0.5, 0.25, 1.5, 3.25))
    history.append(Epoch(2, 5e-4, 0.125, 1e-7, 0.5, 1.75))
    history.write(tmp_path / "history.csv")
    assert History.read(tmp_path / "history.csv") == history
    header = (tmp_path / "history.csv").read_text().splitlines()[0]
    assert header == (
        "epoch,learning_rate,training_loss,validation_loss,"
        "validation_energy_mae_kcal_mol,validation_force_mae_kcal_mol_A"
    )
    assert History.from_rows(history.rows()) == history


def test_errors_of_stresses_are_the_last_column(tmp_path):
    history = History()
    history.append(Epoch(1, 1e-3, 0.5, 0.25, 1.5, 3.25, 0.75))
    history.write(tmp_path / "history.csv")
    assert History.read(tmp_path / "history.csv") == history
    header, row = (tmp_path / "history.csv").read_text().splitlines()
    assert header.endswith(",validation_virial_mae_kcal_mol") and row.endswith(",0.75")
    assert History.from_rows(history.rows()) == history


def test_epochs_from_before_the_column_have_no_number(tmp_path):
    history = History([Epoch(1, 1e-3, 0.5, 0.25, 1.5, 3.25), Epoch(2, 1e-3, 0.5, 0.25, 1.5, 3.25, 0.75)])
    history.write(tmp_path / "history.csv")
    assert [line.rsplit(",", 1)[1] for line in (tmp_path / "history.csv").read_text().splitlines()[1:]] == [
        "nan",
        "0.75",
    ]
