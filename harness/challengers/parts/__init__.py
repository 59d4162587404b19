"""The parts that several challengers share. They turn examples into rows of features, rows into models, results into answers."""
